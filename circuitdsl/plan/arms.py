"""What taking an intervention apart asks for: its arms, random heads in their place, and the heads downstream.

``judge.arms`` asks a session for it and makes figures of the answers; a plan only counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from circuitdsl.language.circuit import Action, Circuit, Claim, FromTo, Head, Intervention, Node, Nodes, Term
from circuitdsl.measures.changes import direct
from circuitdsl.measures.experiments import Ablated, Attention, Data, Experiment, Intervened, Metric, World
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, Request, first, sample
from circuitdsl.plan.jobs import Job
from circuitdsl.plan.worlds import intervened, random_worlds

LOGIT_DIFF = Metric("logit_diff")


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

    def _world(self, actions: tuple[Action, ...]) -> Intervened:
        return intervened(actions, self.circuit.method)

    # --- downstream ------------------------------------------------------------------------------

    def looks(self) -> dict[FromTo, tuple[Head, ...]]:
        """From where to where, and which later heads that are not acted on themselves, the claims of attention say."""
        acted = {n.component for action in self.intervention.actions for n in action.nodes}
        earliest = min((head.layer for head in acted if isinstance(head, Head)), default=-1)
        found: dict[FromTo, dict[Head, None]] = {}
        for where, heads in _attention_claims((*self.circuit.claims, *self.intervention.claims)):
            later = [head for head in heads if head.layer > earliest and head not in acted]
            found.setdefault(where, {}).update(dict.fromkeys(later))
        return {where: tuple(heads) for where, heads in found.items() if heads}

    def of_head(self, head: Head, where: FromTo) -> Mapping[str, Experiment]:
        """What is read of a head downstream, with and without the intervention, by name."""
        request, method = self.request, self.circuit.method
        node, look, whole = Node(head, where.query), Attention(head, where), self._world(self.intervention.actions)
        asked = {
            "before": request.ask(CLEAN, look),
            "after": request.ask(whole, look),
            "clean": request.ask(CLEAN),
            "whole": request.ask(whole),
        }
        if method.against or method.ablate == "zero":
            without = Action("ablate", (node,), text=f"ablate {node}")
            asked["removed"] = request.ask(Ablated(frozenset({node}), request.source()))
            asked["whole removed"] = request.ask(self._world((*self.intervention.actions, without)))
        if method.against:
            asked["direct"] = request.ask(direct(head, method))
        return asked


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
    for where, heads in parts.looks().items():
        name = f"heads downstream, {where.query} -> {where.key}"
        yield _job(owner, name, parts, partial(_downstream, parts, where, heads))


def _downstream(parts: Parts, where: FromTo, heads: Iterable[Head]) -> list[Experiment]:
    return [experiment for head in heads for experiment in parts.of_head(head, where).values()]


def _job(owner: str, about: str, parts: Parts, ask: Callable[[], Sequence[Experiment]]) -> Job:
    circuit = parts.circuit

    def start() -> Asking:  # the worlds are made here, so that one that cannot be had is this job's failure
        return _columns(parts.request.data, tuple(dict.fromkeys(ask())))

    return Job((owner, about), "arms", circuit.model, circuit.method, circuit.geometry, start, about)


def _columns(data: Data, experiments: Sequence[Experiment]) -> Asking:
    """All readings side by side; the figure is the first one's mean."""
    results = yield experiments
    return Measurement((sample(data, *(results[experiment] for experiment in experiments)),), first)
