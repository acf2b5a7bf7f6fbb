"""What taking an intervention apart asks for: its arms, random heads in their place, and the heads downstream.

``judge.arms`` asks a session for it and makes figures of the answers; a plan only counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from circuitdsl.language.circuit import Action, Circuit, Claim, FromTo, Head, Intervention, Mlp, Node, Nodes, Term
from circuitdsl.measures.changes import direct
from circuitdsl.measures.experiments import Ablated, Attention, Data, Experiment, Intervened, Metric, World
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, Request, first, sample
from circuitdsl.plan.jobs import Job
from circuitdsl.plan.worlds import intervened, random_worlds

LOGIT_DIFF = Metric("logit_diff")

Pair = tuple[Experiment, Experiment]
"""The same, without and with the intervention."""


@dataclass(frozen=True)
class Parts:
    """An intervention in parts. Everything that makes a world raises CannotMeasure where an action cannot be done."""

    intervention: Intervention
    circuit: Circuit

    @property
    def request(self) -> Request:
        return Request(self.circuit, self.circuit.method, Term("accuracy"))

    @property
    def accuracy(self) -> Metric:
        """Among the task's options if the claims speak of that."""
        terms = [claim.term for claim in self.intervention.claims if claim.term.measure == "accuracy"]
        among = any("among options" in term.options for term in terms)
        return Metric("accuracy among options" if among else "accuracy")

    # --- arms ------------------------------------------------------------------------------------

    def worlds(self) -> dict[str, World]:
        """Nothing done, all of it, and each action alone, by the arm's name."""
        actions = self.intervention.actions
        alone = {action.text: self._world((action,)) for action in actions} if len(actions) > 1 else {}
        return {"none": CLEAN, "all": self._world(actions), **alone}

    def random_worlds(self) -> Iterator[World]:
        """The whole intervention done to random heads, as claims that speak of them ask for it."""
        return random_worlds(self.intervention, self.circuit)

    def asked(self, worlds: Iterable[World]) -> list[Experiment]:
        """What is read of every arm."""
        return [self.request.ask(world, reading) for world in worlds for reading in (self.accuracy, LOGIT_DIFF)]

    @property
    def whole(self) -> Intervened:
        return self._world(self.intervention.actions)

    def _world(self, actions: tuple[Action, ...]) -> Intervened:
        return intervened(actions, self.circuit.method)

    # --- downstream ------------------------------------------------------------------------------

    def heads(self) -> tuple[Head, ...]:
        """All heads of later layers than the earliest that is acted on, but for those that are acted on."""
        geometry = self.circuit.geometry
        acted = {node.component for action in self.intervention.actions for node in action.nodes}
        earliest = min(each.layer if isinstance(each, Head | Mlp) else -1 for each in acted)
        later = (Head(layer, i) for layer in range(earliest + 1, geometry.n_layers) for i in range(geometry.n_heads))
        return tuple(head for head in later if head not in acted)

    def looks(self) -> dict[FromTo, tuple[Head, ...]]:
        """From where to where claims of attention, and actions, say that heads look; and which heads after the
        intervention the claims name there."""
        heads = set(self.heads())
        if not heads:
            return {}
        found: dict[FromTo, dict[Head, None]] = {}
        for where, named in _attention_claims((*self.circuit.claims, *self.intervention.claims)):
            found.setdefault(where, {}).update((head, None) for head in named if head in heads)
        for action in self.intervention.actions:
            for node, target in product(action.nodes, action.targets):
                found.setdefault(FromTo(node.position, target.position), {})
        return {where: tuple(named) for where, named in found.items()}

    def attention(self, head: Head, where: FromTo) -> Pair:
        """A head's attention without and with the intervention."""
        look = Attention(head, where)
        return self.request.ask(CLEAN, look), self.request.ask(self.whole, look)

    @property
    def metric(self) -> Pair:
        """The metric without and with the intervention."""
        return self.request.ask(CLEAN), self.request.ask(self.whole)

    def direct(self, head: Head) -> Pair:
        """The metric with a head's way to the logits patched, without and with the intervention."""
        method = self.circuit.method
        return self.request.ask(direct(head, method)), self.request.ask(direct(head, method, self.whole))

    def knockout(self, head: Head, where: FromTo) -> Pair | None:
        """The metric with a head ablated where it looks from, without and with the intervention; None where the
        method's ablation lacks a counterfactual."""
        method, node = self.circuit.method, Node(head, where.query)
        if not method.against and method.ablate != "zero":
            return None
        less = Action("ablate", (node,), text=f"ablate {node}")
        alone = Ablated(frozenset({node}), self.request.source())
        return self.request.ask(alone), self.request.ask(self._world((*self.intervention.actions, less)))

    def asked_of(self, where: FromTo, named: Iterable[Head]) -> list[Experiment]:
        """What is read of heads downstream about one place: where they all look, and the knockout of those named."""
        pairs = [*(self.attention(head, where) for head in self.heads()), self.metric]
        pairs += [pair for head in named if (pair := self.knockout(head, where))]
        return [experiment for pair in pairs for experiment in pair]

    def asked_directly(self) -> list[Experiment]:
        """What is read of the direct effects of heads downstream. They need a counterfactual."""
        return [experiment for pair in (*map(self.direct, self.heads()), self.metric) for experiment in pair]


def _attention_claims(claims: Iterable[Claim]) -> Iterator[tuple[FromTo, tuple[Head, ...]]]:
    for claim in claims:
        arguments = dict(claim.term.arguments)
        where, nodes = arguments.get("where"), arguments.get("heads")
        if claim.term.measure == "attention" and isinstance(where, FromTo) and isinstance(nodes, Nodes):
            yield where, tuple(node.component for node in nodes.nodes if isinstance(node.component, Head))


# --- as jobs of a plan -----------------------------------------------------------------------------


def part_jobs(owner: str, parts: Parts) -> Iterator[Job]:
    """The arms, the random heads, and the heads downstream, as jobs to be planned and run with all others."""
    yield _job(owner, "arms", parts, lambda: parts.asked(parts.worlds().values()))
    yield _job(owner, "random heads in place of its own", parts, lambda: parts.asked(parts.random_worlds()))
    if parts.heads() and parts.circuit.method.against:
        yield _job(owner, "direct effects of heads downstream", parts, parts.asked_directly)
    for where, named in parts.looks().items():
        name = f"heads downstream, {where.query} -> {where.key}"
        yield _job(owner, name, parts, partial(parts.asked_of, where, named))


def _job(owner: str, about: str, parts: Parts, ask: Callable[[], Sequence[Experiment]]) -> Job:
    circuit = parts.circuit

    def start() -> Asking:  # the worlds are made here, so that one that cannot be had is this job's failure
        return _columns(parts.request.data, tuple(dict.fromkeys(ask())))

    return Job((owner, about), "arms", circuit.model, circuit.method, circuit.geometry, start, about)


def _columns(data: Data, experiments: Sequence[Experiment]) -> Asking:
    """All readings side by side; the figure is the first one's mean."""
    results = yield experiments
    return Measurement((sample(data, *(results[experiment] for experiment in experiments)),), first)
