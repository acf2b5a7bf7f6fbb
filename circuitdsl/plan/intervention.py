"""The jobs of an intervention: its claims, its arms, random heads in their place, and the heads downstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from circuitdsl.actions import Ablate, Action
from circuitdsl.components import Head, Node, all_heads
from circuitdsl.language.circuit import Circuit, Claim, FromTo, Intervention, Nodes, Term
from circuitdsl.language.environment import RANDOM_HEADS
from circuitdsl.measures.changes import direct
from circuitdsl.measures.controls import RANDOM_SETS
from circuitdsl.measures.experiments import Ablated, Attention, Experiment, Intervened, Metric, World
from circuitdsl.measures.measurement import CLEAN, Asking, CannotMeasure, Request
from circuitdsl.plan.job import Job, Started, reading_job
from circuitdsl.plan.terms import against_random_heads, ask, control_of, over_random_heads, term_job
from circuitdsl.plan.worlds import intervened, random_worlds

LOGIT_DIFF = Metric("logit_diff")

ARM_SETS = 19
"""Random sets of an arm with which no claim compares: so many, so that its p-value can be 5%."""

Pair = tuple[Experiment, Experiment]
"""The same, without and with the intervention."""


@dataclass(frozen=True)
class Questions:
    """What taking an intervention apart asks. A world raises CannotMeasure where one of its actions cannot be done."""

    intervention: Intervention
    circuit: Circuit

    @property
    def request(self) -> Request:
        return Request(self.circuit, self.circuit.method, Term("accuracy"))

    @property
    def accuracy(self) -> Metric:
        """Among the task's options if claims are about that."""
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
        """The whole intervention done to random heads: as often as claims about them ask, if there are any."""
        count = RANDOM_SETS if any(map(_speaks_of_random_heads, self.intervention.claims)) else ARM_SETS
        return random_worlds(self.intervention, self.circuit, count)

    def asked(self, worlds: Iterable[World]) -> list[Experiment]:
        """What is read of every arm."""
        return [self.request.ask(world, reading) for world in worlds for reading in (self.accuracy, LOGIT_DIFF)]

    @property
    def whole(self) -> Intervened:
        return self._world(self.intervention.actions)

    def _world(self, actions: tuple[Action, ...]) -> Intervened:
        return intervened(actions, self.circuit.method)

    @property
    def patched(self) -> bool:
        """Whether the direct effects of heads after the intervention can be had."""
        return bool(self.heads() and self.circuit.method.against)

    # --- downstream ------------------------------------------------------------------------------

    def heads(self) -> tuple[Head, ...]:
        """All heads of later layers than the earliest that is acted on, but for those that are acted on."""
        acted = {node.component for action in self.intervention.actions for node in action.nodes}
        earliest = min(each.layer for each in acted)
        heads = all_heads(self.circuit.geometry)
        return tuple(head for head in heads if head.layer > earliest and head not in acted)

    def places(self) -> dict[FromTo, tuple[Head, ...]]:
        """From where to where claims of attention, and actions, say that heads look; and which heads after the
        intervention the claims name there."""
        heads = set(self.heads())
        if not heads:
            return {}
        found: dict[FromTo, dict[Head, None]] = {}
        for where, named in _attention_claims((*self.circuit.claims, *self.intervention.claims)):
            found.setdefault(where, {}).update((head, None) for head in named if head in heads)
        for action in self.intervention.actions:
            for node, key in product(action.nodes, action.keys):
                found.setdefault(FromTo(node.position, key), {})
        return {where: tuple(named) for where, named in found.items()}

    def attention(self, head: Head, where: FromTo) -> Pair:
        """A head's attention without and with the intervention."""
        attended = Attention(head, where)
        return self.request.ask(CLEAN, attended), self.request.ask(self.whole, attended)

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
        node = Node(head, where.query)
        try:
            source = self.request.source()
        except CannotMeasure:
            return None
        less = Ablate((node,), text=f"ablate {node}")
        alone = Ablated(frozenset({node}), source)
        return self.request.ask(alone), self.request.ask(self._world((*self.intervention.actions, less)))

    def asked_of(self, where: FromTo, named: Iterable[Head]) -> list[Experiment]:
        """What is read of heads downstream about one place: where they all look, and the knockout of those named."""
        pairs = [*(self.attention(head, where) for head in self.heads()), self.metric]
        pairs += [pair for head in named if (pair := self.knockout(head, where))]
        return [experiment for pair in pairs for experiment in pair]

    def asked_directly(self) -> list[Experiment]:
        """What is read of the direct effects of heads downstream. They need a counterfactual."""
        return [experiment for pair in (*map(self.direct, self.heads()), self.metric) for experiment in pair]


def _speaks_of_random_heads(claim: Claim) -> bool:
    control = control_of(claim)
    return RANDOM_HEADS in claim.term.options or (control is not None and control.name == RANDOM_HEADS)


def _attention_claims(claims: Iterable[Claim]) -> Iterator[tuple[FromTo, tuple[Head, ...]]]:
    for claim in claims:
        arguments = dict(claim.term.arguments)
        where, nodes = arguments.get("where"), arguments.get("heads")
        if claim.term.measure == "attention" and isinstance(where, FromTo) and isinstance(nodes, Nodes):
            yield where, tuple(node.component for node in nodes.nodes if isinstance(node.component, Head))


# --- as jobs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InterventionPlan:
    """What checking an intervention runs. ``direct`` is None where there is no counterfactual or no head after it."""

    intervention: Intervention
    questions: Questions
    claims: Mapping[Claim, Started]
    arms: Started
    random_heads: Started
    direct: Started | None
    downstream: Mapping[FromTo, Started]

    def jobs(self) -> Iterator[Started]:
        """All of them, in the order in which a plan lists them."""
        yield from self.claims.values()
        yield self.arms
        yield self.random_heads
        if self.direct is not None:
            yield self.direct
        yield from self.downstream.values()


def plan_intervention(intervention: Intervention, circuit: Circuit) -> InterventionPlan:
    """Start every job of an intervention on a circuit's task."""
    questions = Questions(intervention, circuit)

    def reads(about: str, asked: Callable[[], Iterable[Experiment]]) -> Started:
        return Started(reading_job((intervention.name, about), "arms", circuit, asked, about))

    return InterventionPlan(
        intervention,
        questions,
        {claim: Started(claim_job(intervention, circuit, claim)) for claim in intervention.claims},
        reads("arms", lambda: questions.asked(questions.worlds().values())),
        reads("random heads in place of its own", lambda: questions.asked(questions.random_worlds())),
        reads("direct effects of heads downstream", questions.asked_directly) if questions.patched else None,
        {
            where: reads(f"heads downstream, {where.query} -> {where.key}", partial(questions.asked_of, where, named))
            for where, named in questions.places().items()
        },
    )


def claim_job(intervention: Intervention, circuit: Circuit, claim: Claim) -> Job:
    """A claim of an intervention, measured with its actions in force."""
    request = Request(circuit, circuit.method, claim.term, control_of(claim))
    job = term_job((intervention.name, claim.id), "claim", request, claim.text)

    def start() -> Asking:  # the worlds are made here, so that one that cannot be had is the claim's error
        if RANDOM_HEADS in claim.term.options:
            return over_random_heads(request, tuple(random_worlds(intervention, circuit)))
        own = replace(request, world=intervened(intervention.actions, circuit.method))
        if not request.compares_with(RANDOM_HEADS):
            return ask(own)
        return against_random_heads(own, tuple(random_worlds(intervention, circuit)))

    return replace(job, start=start, lead=None)
