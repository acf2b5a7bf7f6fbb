"""What a specification means once its names are resolved: the Circuit and its claims.

Everything that a spec states has become a :class:`Claim`: a listed head, an edge, a ``no edge`` and an
``expect`` line alike are a measurement (:class:`Term`) compared with a :class:`Bound` or a :class:`Control`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from circuitdsl.actions import Ablation, Action
from circuitdsl.components import ALL, END, Component, Dictionary, Geometry, Head, Node, Position
from circuitdsl.display import Displayed
from circuitdsl.language.environment import TaskInfo, TaskRef

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Role:
    """Nodes that are claimed to do the same job."""

    name: str
    nodes: tuple[Node, ...]
    cites: tuple[str, ...] = ()
    line: int = 0

    @property
    def heads(self) -> tuple[Head, ...]:
        return tuple(node.component for node in self.nodes if isinstance(node.component, Head))


# --- arguments of measurements ---------------------------------------------------------------------
# As text an argument is what the specification calls it, so that a role stays itself when its heads change; ``to_dict``
# is its place in the JSON report.


def _nodes(nodes: tuple[Node, ...]) -> list[dict[str, str]]:
    return [{"component": str(node.component), "position": str(node.position)} for node in nodes]


@dataclass(frozen=True)
class Nodes:
    """Argument kind ``heads``: nodes under the name that the spec gives them."""

    label: str
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return self.label

    def to_dict(self) -> dict[str, object]:
        return {"label": self.label, "nodes": _nodes(self.nodes)}


ANY_INPUT = "qkv"
"""The inputs of heads where an edge into them names none."""


@dataclass(frozen=True)
class Receivers:
    """Inputs of heads or MLPs that see a patch. ``inputs`` is a subset of "qkv" in that order; "" for an MLP.

    With grouped queries a head's key or value is its own copy of what it shares with others. ``of_group``: the label
    stands for its heads' whole groups, all of whose heads are among ``nodes``. With "qkv", where no input is named,
    ``nodes`` are the receivers as queries and MLPs read them, and ``keys`` the heads as keys and values are read.
    """

    label: str
    nodes: tuple[Node, ...]  # for q the query position; for k and v the key position
    inputs: str
    keys: tuple[Node, ...] = ()
    of_group: bool = False

    def __str__(self) -> str:
        group = " of group" * self.of_group
        return f"{self.label}.{self.inputs}{group}" if self.inputs not in ("", ANY_INPUT) else self.label

    def reads(self) -> tuple[tuple[Node, str], ...]:
        """Every input that sees the patch with the node at which it is read, once: "q", "k", "v", or "" for an MLP."""
        letters = "q" if self.inputs == ANY_INPUT else self.inputs
        own = ((node, letter) for node in self.nodes for letter in (letters if node.component.inputs else ("",)))
        return tuple(dict.fromkeys((*own, *((node, letter) for node in self.keys for letter in "kv"))))

    def to_dict(self) -> dict[str, object]:
        described: dict[str, object] = {"label": self.label, "input": self.inputs, "nodes": _nodes(self.nodes)}
        keys = {"keys": _nodes(self.keys)} if self.keys else {}
        return described | keys | ({"of_group": True} if self.of_group else {})


@dataclass(frozen=True)
class LogitsReceiver:
    """The logits, read at END."""

    label: str = "logits"

    def __str__(self) -> str:
        return self.label

    def to_dict(self) -> dict[str, object]:
        return {"label": self.label}


@dataclass(frozen=True)
class Path:
    """Argument kind ``path``: senders -> receivers."""

    senders: Nodes
    receivers: Receivers | LogitsReceiver

    def __str__(self) -> str:
        return f"{self.senders} -> {self.receivers}"

    def to_dict(self) -> dict[str, object]:
        return {"senders": self.senders.to_dict(), "receivers": self.receivers.to_dict()}


@dataclass(frozen=True)
class At:
    """Argument kind ``position``."""

    position: Position

    def __str__(self) -> str:
        return str(self.position)

    def to_dict(self) -> str:
        return str(self)


@dataclass(frozen=True)
class FromTo:
    """Argument kind ``attends``: query position -> key position."""

    query: Position
    key: Position

    def __str__(self) -> str:
        return f"{self.query} -> {self.key}"

    def to_dict(self) -> dict[str, object]:
        return {"from": str(self.query), "to": str(self.key)}


@dataclass(frozen=True)
class Token:
    """Argument kind ``token``: the token at a position, or, with ``position`` None, the prompt's answer."""

    position: Position | None

    def __str__(self) -> str:
        return str(self.position) if self.position else "answer"

    def to_dict(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Reads:
    """Argument kind ``reads``: where a head's OV reads, and which token it should write."""

    position: Position
    token: Token

    def __str__(self) -> str:
        return f"{self.position} -> {self.token}"

    def to_dict(self) -> dict[str, object]:
        return {"reads": str(self.position), "token": str(self.token)}


@dataclass(frozen=True)
class Elements:
    """Argument kind ``elements``: what an overlap counts; ``pair`` holds two role names for ``role ~ role``."""

    kind: Literal["heads", "nodes", "roles", "edges", "pair"]
    pair: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        return " ~ ".join(self.pair) if self.kind == "pair" else self.kind

    def to_dict(self) -> dict[str, object]:
        if self.kind == "pair":
            return {"elements": "heads", "left_role": self.pair[0], "right_role": self.pair[1]}
        return {"elements": self.kind}


@dataclass(frozen=True)
class Circuits:
    """Argument kinds ``circuits`` and ``direction``: two circuits by name, in the order written."""

    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.left} -> {self.right}"

    def to_dict(self) -> dict[str, object]:
        return {"left": self.left, "right": self.right}


@dataclass(frozen=True)
class OnTask:
    """Argument kind ``task``: another task than the circuit's, of a claim that is measured there."""

    task: TaskRef
    info: TaskInfo

    def __str__(self) -> str:
        return f"on {self.task}"

    def to_dict(self) -> str:
        return str(self.task)


@dataclass(frozen=True)
class Count:
    """Argument kind ``count``: how many."""

    number: int

    def __str__(self) -> str:
        return str(self.number)

    def to_dict(self) -> int:
        return self.number


@dataclass(frozen=True)
class Variable:
    """Argument kind ``variable``: a variable of the task, the counterfactual on which it has another value, and the
    position after which it predicts the answer."""

    name: str
    counterfactual: str
    at: str = END.name

    def __str__(self) -> str:
        return self.name

    def to_dict(self) -> str:
        return self.name


@dataclass(frozen=True)
class ReadAt:
    """``at A2``: the position after which the output is read."""

    position: str

    def __str__(self) -> str:
        return f"at {self.position}"

    def to_dict(self) -> str:
        return self.position


READ_AT = "at"
"""The name under which a term has its :class:`ReadAt`."""


@dataclass(frozen=True)
class Against:
    """``against other_query``: the counterfactual that an effect is patched from, where it is not the method's."""

    counterfactual: str

    def __str__(self) -> str:
        return f"against {self.counterfactual}"

    def to_dict(self) -> str:
        return self.counterfactual


AGAINST = "against"
"""The name under which a term has its :class:`Against`."""

Argument = (
    Nodes | Path | At | FromTo | Token | Reads | Elements | Circuits | OnTask | Count | Variable | ReadAt | Against
)


# --- claims ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """A measurement applied to arguments. ``arguments`` maps parameter names to values, in order."""

    measure: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    options: tuple[str, ...] = ()
    minus_baseline: bool = False  # interventions: the measurement less its value without the intervention

    def __str__(self) -> str:
        last = [str(each) for _, each in self.arguments if isinstance(each, ReadAt | Against)]
        first = [str(each) for _, each in self.arguments if not isinstance(each, ReadAt | Against)]
        inside = [*first, *self.options, *last]
        less = " - baseline" if self.minus_baseline else ""
        return self.measure + (f"({', '.join(inside)})" if inside else "") + less

    @property
    def at(self) -> str:
        """The position after which the output is read for it; "" where the method says so."""
        for _, argument in self.arguments:
            if isinstance(argument, ReadAt):
                return argument.position
            if isinstance(argument, Variable):
                return argument.at
        return ""

    @property
    def named_counterfactual(self) -> str:
        """The counterfactual that it says to patch from; "" where the method says so."""
        return next((each.counterfactual for _, each in self.arguments if isinstance(each, Against)), "")

    def to_dict(self) -> dict[str, object]:
        """The arguments by parameter name, and the options."""
        described: dict[str, object] = {}
        for name, argument in self.arguments:
            # What an overlap counts says itself under which names.
            described |= argument.to_dict() if isinstance(argument, Elements) else {name: argument.to_dict()}
        if self.options:
            described["options"] = list(self.options)
        if self.minus_baseline:
            described["minus"] = "baseline"
        return described


Op = Literal[">=", "<=", ">", "<", "in", "outside", "inside"]


@dataclass(frozen=True)
class Bound:
    """What a measurement must satisfy. Shares are fractions here, whatever the spelling in the file.

    ``>= <= > <`` use ``low`` or ``high`` alone; ``in`` both; ``outside`` is x <= low or x >= high (an edge of
    unstated sign); ``inside`` is low < x < high (``no edge``).
    """

    op: Op
    low: float | None = None
    high: float | None = None

    @property
    def from_above(self) -> bool:
        """Whether a figure has to be shown to be small enough for it, from below too or not."""
        return self.op in ("<=", "<", "in", "inside")

    @property
    def from_below(self) -> bool:
        """Whether a figure has to be shown to be large enough for it, and nothing else."""
        return self.op in (">=", ">")


@dataclass(frozen=True)
class Control:
    """A comparison with a control: ``> random heads``, ``> sham`` (``language.controls``)."""

    name: str
    op: Literal[">", "<"] = ">"


ClaimKind = Literal["expect", "edge", "no edge", "member", "control task"]


@dataclass(frozen=True)
class Claim:
    """One falsifiable statement: ``term`` compared with ``bound``.

    ``id`` is ``circuit:label``, or ``circuit:kind subject`` where the author gave no label (``claims.identified``),
    and is unique in a document: it stays what it is when lines are inserted or moved and when bounds change. ``text``
    is the statement as a person reads it.
    """

    id: str
    line: int
    text: str
    kind: ClaimKind
    term: Term
    bound: Bound | Control
    role: str = ""  # the role whose body or node list makes the claim

    def under(self, method: Method) -> Claim:
        """The claim as a method judges it: it says what listing a head claims. Other claims are what they are."""
        if self.kind != "member" or method.members == "none":
            return self
        term, bound = member_claim(method.members, self.term.arguments, method.floor)
        return replace(self, term=term, bound=bound)


Mattering = Literal["minimality", "knockout"]
Members = Literal[Mattering, "none"]


def member_claim(members: Mattering, arguments: tuple[tuple[str, Argument], ...], floor: float) -> tuple[Term, Bound]:
    """What listing a node claims: that it adds to the circuit at least the floor, or that the model changes by more
    than the floor, in either direction, without it."""
    bound = Bound(">=", low=floor) if members == "minimality" else Bound("outside", -floor, floor)
    return Term(members, arguments), bound


# --- documents -------------------------------------------------------------------------------------


AGAINST_MAX = "against max"
"""The option of a logit difference from the largest of the wrong answers' logits in place of their mean."""

METRICS = (
    "logit_diff",
    f"logit_diff({AGAINST_MAX})",
    "probability",
    "probability_diff",
    "reciprocal_rank",
    "accuracy",
    "hit(10)",
)
"""What a method's F can be: measurements of the output as they are written, and ``hit`` of any number."""
Positions = Literal["role", "all"]
Processing = Literal["none", "fold"]
Errors = Literal["ablated", "kept"]


@dataclass(frozen=True)
class Method:
    """How a circuit's claims are measured; every default is stated here and printed in reports.

    ``language.methods.SETTINGS`` explains each setting.
    """

    metric: str = "logit_diff"  # a measurement of the output as it is written: "hit(10)"
    against: str = ""  # the counterfactual that patches take activations from; "" if the task has none
    ablate: Ablation = "mean by template"
    reference: int = 20  # prompts that a mean is taken over, of each template if it is by template
    prompts_first: int = 200
    prompts_most: int = 2000
    prompts_all: bool = False  # every prompt that the task has, of which the two above are then the number, at most
    positions: Positions = "role"
    floor: float = 0.01  # effects smaller than this share of F(M) count as none
    confidence: float = 0.95
    seed: int = 0
    bos: bool = False
    processing: Processing = "none"
    members: Members = "minimality"  # what listing a head claims
    errors: Errors = "ablated"  # what a circuit of features does with errors that it does not list
    vary: tuple[tuple[str, str], ...] = ()  # (setting, value): re-judge every claim with this setting

    @property
    def measured(self) -> Term:
        """The metric as a measurement with its arguments, as claims have them.

        >>> str(Method(metric="hit(10)").measured), Method(metric="logit_diff(against max)").measured.options
        ('hit(10)', ('against max',))
        >>> Method(metric="hit(10, at A2)").at, Method().at
        ('A2', 'END')
        """
        name, _, inside = self.metric.removesuffix(")").partition("(")
        parts = inside.split(", ") if inside else []
        places = [part.removeprefix("at ") for part in parts if part.startswith("at ")]
        counts: list[tuple[str, Argument]] = [("k", Count(int(part))) for part in parts if part.isdigit()]
        read: list[tuple[str, Argument]] = [(READ_AT, ReadAt(place)) for place in places]
        options = (part for part in parts if not part.isdigit() and not part.startswith("at "))
        return Term(name, (*counts, *read), tuple(options))

    @property
    def at(self) -> str:
        """The position after which the metric is read."""
        return self.measured.at or END.name

    def read_at_end(self) -> Method:
        """The method with its metric read after the last token."""
        term = self.measured
        arguments = tuple((name, each) for name, each in term.arguments if not isinstance(each, ReadAt))
        return replace(self, metric=str(replace(term, arguments=arguments)))


@dataclass(frozen=True, repr=False)
class Circuit(Displayed):
    """A resolved circuit."""

    name: str
    file: str
    model: str
    geometry: Geometry
    task: TaskRef
    task_info: TaskInfo
    method: Method
    roles: tuple[Role, ...]
    claims: tuple[Claim, ...]
    about: str = ""
    cites: tuple[str, ...] = ()
    line: int = 0
    dictionaries: tuple[Dictionary, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node once, in the order of first mention."""
        return tuple(dict.fromkeys(node for role in self.roles for node in role.nodes))

    @property
    def heads(self) -> tuple[Head, ...]:
        """Every head once, sorted."""
        return tuple(sorted({head for role in self.roles for head in role.heads}))

    def role(self, name: str) -> Role:
        """The role of that name; KeyError if there is none."""
        for role in self.roles:
            if role.name == name:
                return role
        raise KeyError(name)

    def roles_of(self, node: Node) -> tuple[str, ...]:
        return tuple(role.name for role in self.roles if node in role.nodes)

    @property
    def tasks(self) -> tuple[TaskRef, ...]:
        """The circuit's task, and its control tasks."""
        arguments = (argument for claim in self.claims for _, argument in claim.term.arguments)
        others = (argument.task for argument in arguments if isinstance(argument, OnTask))
        return tuple(dict.fromkeys((self.task, *others)))

    def on(self, where: OnTask) -> Circuit:
        """The circuit on another task: its prompts, that task's own counterfactual, and the answer after its END."""
        method = replace(self.method.read_at_end(), against=where.info.default_counterfactual or "")
        return replace(self, task=where.task, task_info=where.info, method=method)

    @property
    def counterfactuals(self) -> tuple[str, ...]:
        """Those that its effects are patched from: the method's, and those that its claims name."""
        named = (claim.term.named_counterfactual for claim in self.claims)
        return tuple(dict.fromkeys(filter(None, (self.method.against, *named))))

    def edge_claims(self) -> Iterator[Claim]:
        """The claims that say that information flows (not the ``no edge`` ones)."""
        return (claim for claim in self.claims if claim.kind == "edge")

    def paths(self) -> tuple[Path, ...]:
        """The paths of the edges that it states, ``no edge`` not among them."""
        found = (dict(claim.term.arguments)["path"] for claim in self.edge_claims())
        return tuple(path for path in found if isinstance(path, Path))

    @property
    def of_edges(self) -> bool:
        """Whether it is judged as edges: it states some, and its roles list no head and no MLP."""
        return bool(self.paths()) and not any(node.component.claims_to_matter for node in self.nodes)

    @property
    def constituents(self) -> tuple[Node, ...]:
        """What can be taken out of it: the nodes of its roles, or if it is one of edges, those that its edges name.

        Not the embeddings, without which there is no prompt. A head of which edges name only keys or values, and which
        sends nothing, stands at all positions.
        """
        if not self.of_edges:
            return tuple(node for node in self.nodes if node.component.claims_to_matter)
        found: dict[Component, dict[Position, None]] = {}
        for path in self.paths():
            read = path.receivers.reads() if isinstance(path.receivers, Receivers) else ()
            for node, letter in (*((node, "") for node in path.senders.nodes), *read):
                places = found.setdefault(node.component, {})
                if letter not in ("k", "v"):
                    places[node.position] = None
        taken = ((component, places) for component, places in found.items() if component.claims_to_matter)
        return tuple(Node(component, place) for component, places in taken for place in places or (ALL,))

    def graph(self) -> nx.MultiDiGraph[str]:
        """The circuit as a graph: roles and ``logits`` are vertices, each edge carries ``inputs`` and ``claim``."""
        import networkx as nx  # here, since few ask for it

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=self.name)
        for role in self.roles:
            graph.add_node(role.name, nodes=role.nodes)
        for claim in self.edge_claims():
            path = dict(claim.term.arguments)["path"]
            assert isinstance(path, Path)
            inputs = path.receivers.inputs if isinstance(path.receivers, Receivers) else ""
            graph.add_edge(path.senders.label, path.receivers.label, inputs=inputs, claim=claim.id)
        return graph


@dataclass(frozen=True)
class Comparison:
    """``compare left with right``: claims over two circuits, which may stand in other files."""

    left: str
    right: str
    file: str
    align: tuple[tuple[str, str], ...]  # (role of left, role of right)
    claims: tuple[Claim, ...]
    about: str = ""
    cites: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Intervention:
    """``intervention name on circuit``: actions, and claims about what they change."""

    name: str
    on: str
    file: str
    actions: tuple[Action, ...]
    claims: tuple[Claim, ...]
    about: str = ""
    cites: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, repr=False)
class Document(Displayed):
    """One or more spec files, resolved. ``used`` are circuits that the files only refer to with ``use``."""

    files: tuple[str, ...]
    circuits: tuple[Circuit, ...]
    comparisons: tuple[Comparison, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    used: tuple[Circuit, ...] = field(default=())

    def circuit(self, name: str) -> Circuit:
        """The circuit of that name, checked or only used; KeyError if there is none."""
        for circuit in self.circuits + self.used:
            if circuit.name == name:
                return circuit
        raise KeyError(name)
