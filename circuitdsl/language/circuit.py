"""What a specification means once its names are resolved: the Circuit and its claims.

Everything that a spec states has become a :class:`Claim`: a listed head, an edge, a ``no edge`` and an
``expect`` line alike are a measurement (:class:`Term`) compared with a :class:`Bound` or a :class:`Control`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import networkx as nx

from circuitdsl.language.environment import Geometry, TaskInfo, TaskRef


@dataclass(frozen=True, order=True)
class Head:
    """An attention head, written ``9.6``."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.index}"


@dataclass(frozen=True, order=True)
class Mlp:
    """A whole MLP layer, written ``mlp 5``."""

    layer: int

    def __str__(self) -> str:
        return f"mlp {self.layer}"


@dataclass(frozen=True, order=True)
class Embed:
    """The token embedding."""

    def __str__(self) -> str:
        return "embed"


@dataclass(frozen=True, order=True)
class PosEmbed:
    """The positional embedding."""

    def __str__(self) -> str:
        return "pos_embed"


Component = Head | Mlp | Embed | PosEmbed


@dataclass(frozen=True, order=True)
class Position:
    """A named position with an offset, ``S1+1``; the name ``all`` stands for every position."""

    name: str
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.name}{self.offset:+d}" if self.offset else self.name


ALL = Position("all")


@dataclass(frozen=True)
class Node:
    """A component at a position: what a circuit is made of."""

    component: Component
    position: Position

    def __str__(self) -> str:
        return f"{self.component} at {self.position}"


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


@dataclass(frozen=True)
class Nodes:
    """Argument kind ``heads``: nodes under the name that the spec gives them."""

    label: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Receivers:
    """Inputs of heads or MLPs that see a patch. ``inputs`` is a subset of "qkv" in that order; "" for an MLP."""

    label: str
    nodes: tuple[Node, ...]  # for q the query position; for k and v the key position
    inputs: str


@dataclass(frozen=True)
class LogitsReceiver:
    """The logits, read at END."""

    label: str = "logits"


@dataclass(frozen=True)
class Path:
    """Argument kind ``path``: senders -> receivers."""

    senders: Nodes
    receivers: Receivers | LogitsReceiver


@dataclass(frozen=True)
class At:
    """Argument kind ``position``."""

    position: Position


@dataclass(frozen=True)
class FromTo:
    """Argument kind ``attends``: query position -> key position."""

    query: Position
    key: Position


@dataclass(frozen=True)
class Token:
    """Argument kind ``token``: the token at a position, or, with ``position`` None, the prompt's answer."""

    position: Position | None


@dataclass(frozen=True)
class Reads:
    """Argument kind ``reads``: where a head's OV reads, and which token it should write."""

    position: Position
    token: Token


@dataclass(frozen=True)
class Elements:
    """Argument kind ``elements``: what an overlap counts; ``pair`` holds two role names for ``role ~ role``."""

    kind: Literal["heads", "nodes", "roles", "edges", "pair"]
    pair: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Circuits:
    """Argument kinds ``circuits`` and ``direction``: two circuits by name, in the order written."""

    left: str
    right: str


Argument = Nodes | Path | At | FromTo | Token | Reads | Elements | Circuits


# --- claims ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """A measurement applied to arguments. ``arguments`` maps parameter names to values, in order."""

    measure: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    options: tuple[str, ...] = ()
    minus_baseline: bool = False  # interventions: the measurement less its value without the intervention


@dataclass(frozen=True)
class Bound:
    """What a measurement must satisfy. Shares are fractions here, whatever the spelling in the file.

    ``>= <= > <`` use ``low`` or ``high`` alone; ``in`` both; ``outside`` is x <= low or x >= high (an edge of
    unstated sign); ``inside`` is low < x < high (``no edge``).
    """

    op: Literal[">=", "<=", ">", "<", "in", "outside", "inside"]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Control:
    """A comparison with a control: ``> random heads`` or ``> chance``."""

    name: str
    op: Literal[">", "<"] = ">"


ClaimKind = Literal["expect", "edge", "no edge", "member"]


@dataclass(frozen=True)
class Claim:
    """One falsifiable statement: ``term`` compared with ``bound``.

    ``id`` is ``circuit:line`` with ``:head`` or ``:n`` appended where one line makes several claims, and is
    unique in a document. ``text`` is the statement as a person reads it.
    """

    id: str
    line: int
    text: str
    kind: ClaimKind
    term: Term
    bound: Bound | Control
    role: str = ""  # the role whose body or node list makes the claim


# --- documents -------------------------------------------------------------------------------------

Ablation = Literal["zero", "mean", "mean by template", "resample"]


@dataclass(frozen=True)
class Method:
    """How a circuit's claims are measured; every default is stated here and printed in reports."""

    metric: Literal["logit_diff", "probability", "probability_diff", "accuracy"] = "logit_diff"
    against: str = ""  # the counterfactual that patches take activations from; "" if the task has none
    ablate: Ablation = "mean by template"
    prompts_first: int = 200
    prompts_most: int = 2000
    positions: Literal["role", "all"] = "role"
    floor: float = 0.01  # effects smaller than this share of F(M) count as none
    confidence: float = 0.95
    seed: int = 0
    bos: bool = False
    processing: Literal["none", "fold"] = "none"
    vary: tuple[tuple[str, str], ...] = ()  # (setting, value): re-judge every claim with this setting


@dataclass(frozen=True)
class Circuit:
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

    def edge_claims(self) -> Iterator[Claim]:
        """The claims that say that information flows (not the ``no edge`` ones)."""
        return (claim for claim in self.claims if claim.kind == "edge")

    def graph(self) -> nx.MultiDiGraph:
        """The circuit as a graph: roles and ``logits`` are vertices, each edge carries ``inputs`` and ``claim``."""
        graph = nx.MultiDiGraph(name=self.name)
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
class Target:
    """A position that rows of attention patterns are set to, and its share of each, a fraction.

    Each of the position's n tokens has 1/n of the share; where several targets name a token, it has the sum.
    """

    position: Position
    share: float = 1.0


@dataclass(frozen=True)
class Action:
    """One thing that an intervention does.

    ``attend``: rows of the patterns of ``nodes`` (at their position) are set to what ``targets`` say, 0 elsewhere;
    ``ablate``: outputs replaced by ``ablation``; ``patch``: outputs taken from ``counterfactual``;
    ``scale``: outputs multiplied by ``factor``; ``freeze``: outputs kept as in the clean run.
    """

    kind: Literal["attend", "ablate", "patch", "scale", "freeze"]
    nodes: tuple[Node, ...]
    targets: tuple[Target, ...] = ()  # their shares add up to 1
    ablation: Ablation | None = None
    counterfactual: str = ""
    factor: float = 1.0
    text: str = ""


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


@dataclass(frozen=True)
class Document:
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
