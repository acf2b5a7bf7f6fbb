"""The vocabulary in which measurements ask: an experiment is a reading, in a world, over some data.

Everything here is a small frozen dataclass that hashes by value, so that an experiment asked for by two claims,
or by two files, is one experiment. Results are one float per prompt, shape [prompts].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeGuard

from circuitdsl.actions import Action
from circuitdsl.components import END, Dictionary, Head, Node, Position
from circuitdsl.language.circuit import FromTo, Reads, Token
from circuitdsl.language.environment import TaskRef

# --- data ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """Which prompts: the first n of this task's seeded stream (n is chosen by the judge).

    ``listed``: the stream is every prompt of the task once. ``at`` is the position after which the output is read and
    the answer is asked.
    """

    task: TaskRef
    seed: int
    bos: bool
    listed: bool = False
    at: str = END.name


# --- where replaced activations come from ----------------------------------------------------------


@dataclass(frozen=True)
class Zero:
    """Zeros."""


@dataclass(frozen=True)
class Mean:
    """The mean over the counterfactuals of ``reference`` prompts (``engine.references``); ``counterfactual`` is "" for
    the prompts themselves.

    ``by_template``: at the same token index of the same template (Wang et al. 2022); otherwise over all tokens.
    """

    counterfactual: str
    reference: int
    by_template: bool


@dataclass(frozen=True)
class Resample:
    """The activation on the counterfactual of another prompt of its template and length, chosen by ``seed`` among
    ``reference`` prompts (``engine.references``)."""

    counterfactual: str
    reference: int
    seed: int


SHAM = "another prompt"
"""The counterfactual that a session gives the prompts of experiments which take it (``engine.shams``): another prompt
of the same kind, as it is. No task has one of that name, for theirs are single words."""


@dataclass(frozen=True)
class FromCounterfactual:
    """The activation on the prompt's own counterfactual."""

    counterfactual: str


Drawn = Mean | Resample
"""What takes its values from prompts of a reference."""

Source = Zero | Drawn | FromCounterfactual

# --- worlds: what is done to the model -------------------------------------------------------------


@dataclass(frozen=True)
class Clean:
    """Nothing."""


@dataclass(frozen=True)
class Corrupted:
    """The counterfactual prompt is run in place of the prompt; answers and positions stay the prompt's."""

    counterfactual: str


@dataclass(frozen=True)
class Ablated:
    """The outputs of ``nodes`` are replaced; all the rest recomputes. ``guarded``: to change nothing is a failure."""

    nodes: frozenset[Node]
    source: Source
    guarded: bool = True


@dataclass(frozen=True)
class Sketched:
    """What ablating heads changes to first order: of a metric that :func:`has_gradient`, its value in the clean run and
    its gradient there times what is replaced. An estimate, by one pass forward and one back for all heads together."""

    nodes: frozenset[Node]
    source: Source


@dataclass(frozen=True)
class ByFeatures:
    """What is replaced outside a circuit that lists features: those of ``dictionaries`` that it does not keep, and
    their errors too if ``errors``. ``whole``: hook points of heads and MLPs at which nothing is replaced, for they are
    no parts of the circuit, or only as far as features make them up."""

    dictionaries: frozenset[Dictionary]
    errors: bool
    whole: frozenset[str]


@dataclass(frozen=True)
class Isolated:
    """The outputs of everything outside ``kept`` are replaced; ``kept`` and all the rest recompute.

    Everything outside: every head at every position that ``kept`` does not name; MLPs too if ``mlps``; and what
    ``features`` says.
    """

    kept: frozenset[Node]
    source: Source
    mlps: bool
    features: ByFeatures | None = None


@dataclass(frozen=True)
class Intervened:
    """The actions of an intervention, all at once. ``source`` is what ``ablate`` without a kind uses."""

    actions: tuple[Action, ...]
    sources: tuple[Source | None, ...]  # one an action; None where the action replaces nothing


@dataclass(frozen=True)
class Patched:
    """Path patching: ``senders`` take their counterfactual output and only the receivers' inputs see it.

    Other heads keep their clean output on the way; MLPs and norms recompute, unless ``strict`` freezes them too.
    ``receivers`` are (node, input) pairs with input "q", "k", "v", or "" for an MLP; empty for the logits.
    ``under`` an intervention, the run that is patched, and whose outputs other heads keep, is the one with its actions
    in force, which stay so; what the senders take still comes from the counterfactual, where nothing is done.
    ``guarded``: it is a failure if the senders change nothing on any prompt. Those of a control may.
    """

    senders: frozenset[Node]
    receivers: frozenset[tuple[Node, str]]
    counterfactual: str
    strict: bool
    under: Intervened | None = None
    guarded: bool = True


@dataclass(frozen=True)
class NodeEdge:
    """What ``sender`` writes at its position enters one input of ``receiver`` at its own: "q", "k", "v", or "" for an
    MLP. Without a receiver it enters the logits, at END."""

    sender: Node
    receiver: Node | None = None
    input: str = ""


@dataclass(frozen=True)
class EdgesKept:
    """Every input sees the prompt's own counterfactual, but for what ``edges`` carry.

    An input is the counterfactual's residual stream, in which the senders of edges into it have the output that they
    have in this run; every other sender, the embeddings among them, has its output on the counterfactual (Miller et al.
    2024; Mueller et al. 2025). An edge carries something where the positions of its ends are one token.
    """

    edges: frozenset[NodeEdge]
    counterfactual: str


World = Clean | Corrupted | Ablated | Sketched | Isolated | Patched | Intervened | EdgesKept


def takes_sham(world: World) -> bool:
    """Whether a world takes outputs from another prompt of the same kind."""
    match world:
        case Patched(counterfactual=name) | Ablated(source=FromCounterfactual(counterfactual=name)):
            return name == SHAM
        case _:
            return False


# --- readings: what is written down, one float a prompt --------------------------------------------


MOST_NATS = 20.0
"""A logarithm of a probability counts as no lower than minus this on a prompt (two in 10^9), and a divergence as no
larger: what has no limits is judged by a test that a few rare prompts deceive (docs/methods.md)."""


@dataclass(frozen=True)
class Metric:
    """A number computed from the logits at END (``engine.readings``).

    Here and in what follows END stands for the position at which the output is read (``Data.at``).
    """

    name: Literal[
        "logit_diff",
        "logit_diff against max",
        "accuracy",
        "accuracy among options",
        "chance among options",
        "probability",
        "probability_diff",
        "log_prob",
        "reciprocal_rank",
    ]


def has_gradient(reading: object) -> TypeGuard[Metric]:
    """Whether a reading is a smooth function of the logits."""
    smooth = ("logit_diff", "logit_diff against max", "probability", "probability_diff")
    return isinstance(reading, Metric) and reading.name in smooth


@dataclass(frozen=True)
class Hit:
    """1 if a right answer is among the ``k`` most likely tokens at END."""

    k: int


@dataclass(frozen=True)
class Predicted:
    """1 if the token that a variable of the task predicts (``Prompt.predicted``) has the one largest logit at END."""

    variable: str


@dataclass(frozen=True)
class Divergence:
    """The Kullback-Leibler divergence of the next-token distribution at END from that of the clean run, in nats.

    It is at most :data:`MOST_NATS`.
    """


@dataclass(frozen=True)
class TokenProbability:
    """Softmax probability at END of the token at a position (or of all right answers together)."""

    token: Token


@dataclass(frozen=True)
class Attention:
    """Attention of a head: mean over the query position's tokens of the sum over the key position's tokens."""

    head: Head
    where: FromTo


@dataclass(frozen=True)
class AttentionTo:
    """Attention of a head to one token: mean over the query position's tokens; 0 where a prompt has no such token.

    ``token`` is its index in the prompt.
    """

    head: Head
    query: Position
    token: int


@dataclass(frozen=True)
class Copying:
    """1 if the token is in the top ``k`` logits of the head's OV applied to the residual after the first block."""

    head: Head
    reads: Reads
    negated: bool
    k: int = 5


@dataclass(frozen=True)
class HeadScore:
    """Mean attention of a head to the token before, the same token earlier, or the one after that."""

    head: Head
    kind: Literal["previous_token", "duplicate_token", "induction"]


Reading = Metric | Hit | Predicted | Divergence | TokenProbability | Attention | AttentionTo | Copying | HeadScore


@dataclass(frozen=True)
class Experiment:
    """One distinct experiment; ``world`` decides the forward passes, ``reading`` what is kept of them."""

    data: Data
    world: World
    reading: Reading
