"""The argument that the blocks of one report make together, step by step, with the estimates that each step rests on.

The steps are those of Merullo et al. 2024: each circuit on its own task; what two circuits share, and whether one does
the other's work; where heads that both name look on either task; what interventions change, and what moves in the
heads after them. Nothing here is measured: a step is there where the document has the blocks and claims for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from circuitdsl.compare.structure import chance_share
from circuitdsl.components import Head
from circuitdsl.judge.estimates import Estimate, Verdict, exactly
from circuitdsl.language.circuit import Nodes
from circuitdsl.outcome.circuit import CircuitReport
from circuitdsl.outcome.claims import ClaimOutcome
from circuitdsl.outcome.comparison import ComparisonReport
from circuitdsl.outcome.intervention import InterventionReport

StepKind = Literal["reproduction", "overlap", "function", "attention", "intervention", "downstream"]
"""What a step of the argument is about; ``argument`` says which blocks and claims make it."""


@dataclass(frozen=True)
class Fact:
    """An estimate that a step rests on, in ``unit``: "share", "logits", "heads", "prompts", "p" (a p-value) or "".

    ``verdict`` is that of the claim of which it is the estimate; None where nothing is claimed about it.
    """

    label: str
    unit: str
    estimate: Estimate
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, object]:
        verdict = None if self.verdict is None else str(self.verdict)
        return {"label": self.label, "unit": self.unit, **self.estimate.to_dict(), "verdict": verdict}


@dataclass(frozen=True)
class Step:
    """One step of the argument that the blocks of a report make together.

    ``about`` names the block or blocks, ``verdicts`` are those of the claims that the step consists of, and ``facts``
    what a reader needs of it, which is less than all of its claims.
    """

    kind: StepKind
    about: str
    verdicts: tuple[Verdict, ...]
    facts: tuple[Fact, ...]

    @property
    def summary(self) -> dict[str, int]:
        return {str(verdict): self.verdicts.count(verdict) for verdict in Verdict}

    def to_dict(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "about": self.about,
            "claims": self.summary,
            "facts": [fact.to_dict() for fact in self.facts],
        }


FUNCTION = ("transfer", "dissociation")
AFTER = ("attention", "effect", "change_by_importance")
"""Of an intervention's claims, those about the heads after it."""


def argue(
    circuits: Iterable[CircuitReport],
    comparisons: Iterable[ComparisonReport],
    interventions: Iterable[InterventionReport],
) -> tuple[Step, ...]:
    """The steps of a report, in the order of the argument; one block alone makes no argument."""
    circuits, comparisons, interventions = tuple(circuits), tuple(comparisons), tuple(interventions)
    if len(circuits) + len(comparisons) + len(interventions) < 2:
        return ()
    by_name = {report.circuit.name: report for report in circuits}
    return (
        *map(_reproduction, circuits),
        *map(_overlap, comparisons),
        *(step for report in comparisons for step in _function(report)),
        *(step for report in comparisons for step in _looks(report, by_name.values())),
        *map(_intervention, interventions),
        *(step for report in interventions for step in _downstream(report)),
    )


def _step(kind: StepKind, about: str, outcomes: Iterable[ClaimOutcome], facts: Iterable[Fact]) -> Step:
    return Step(kind, about, tuple(outcome.verdict for outcome in outcomes), tuple(facts))


def _claimed(outcome: ClaimOutcome) -> Fact:
    """A claim's estimate, under the claim as it is written."""
    return Fact(outcome.claim.text.removeprefix("expect "), outcome.unit, outcome.estimate, outcome.verdict)


# --- circuits --------------------------------------------------------------------------------------


def _reproduction(report: CircuitReport) -> Step:
    """All claims of a circuit; the estimates are those of the whole, of no part of it."""
    whole = [each for each in report.claims if each.claim.kind == "expect" and not each.claim.term.arguments]
    return _step("reproduction", report.circuit.name, report.claims, map(_claimed, whole))


# --- comparisons -----------------------------------------------------------------------------------


def _pair(report: ComparisonReport) -> str:
    return f"{report.comparison.left} with {report.comparison.right}"


def _overlap(report: ComparisonReport) -> Step:
    """The overlap of heads with what chance gives, and the claims about overlap."""
    claims = [each for each in report.claims if each.claim.term.measure == "overlap"]
    heads, chance = report.structure.heads, report.structure.heads_chance
    facts = [
        Fact("heads in both", "heads", exactly(len(heads.shared))),
        Fact("overlap of heads, of the smaller circuit", "share", exactly(heads.of_smaller)),
        Fact("overlap of heads by chance", "share", exactly(chance_share(chance, heads))),
        Fact("p-value of as many by chance", "p", exactly(chance.p_value if chance else None)),
    ]
    return _step("overlap", _pair(report), claims, [*facts, *map(_claimed, claims)])


def _function(report: ComparisonReport) -> Iterator[Step]:
    claims = [each for each in report.claims if each.claim.term.measure in FUNCTION]
    if claims:
        yield _step("function", _pair(report), claims, map(_claimed, claims))


def _looks(report: ComparisonReport, circuits: Iterable[CircuitReport]) -> Iterator[Step]:
    """The claims of attention of both circuits about the same heads: where these look on either task."""
    names = (report.comparison.left, report.comparison.right)
    looks = {
        each.circuit.name: [(outcome, _heads(outcome)) for outcome in each.claims if _is_look(outcome)]
        for each in circuits
        if each.circuit.name in names
    }
    if len(looks) < 2:
        return
    ours, theirs = (frozenset[Head]().union(*(heads for _, heads in looks[name])) for name in names)
    for name in names:
        claims = [outcome for outcome, heads in looks[name] if heads & ours & theirs]
        if claims:
            yield _step("attention", name, claims, map(_claimed, claims))


def _is_look(outcome: ClaimOutcome) -> bool:
    return outcome.claim.term.measure == "attention"


def _heads(outcome: ClaimOutcome) -> frozenset[Head]:
    nodes = dict(outcome.claim.term.arguments).get("heads")
    found = (node.component for node in nodes.nodes) if isinstance(nodes, Nodes) else ()
    return frozenset(component for component in found if isinstance(component, Head))


# --- interventions ---------------------------------------------------------------------------------


def _intervention(report: InterventionReport) -> Step:
    """Accuracy and metric without and with the intervention, its arms, and the prompts that changed sides."""
    claims = [each for each in report.claims if each.claim.term.measure not in AFTER]
    return _step("intervention", report.intervention.name, claims, _arm_facts(report))


def _arm_facts(report: InterventionReport) -> Iterator[Fact]:
    arms = {arm.name: arm for arm in report.arms}
    if "none" not in arms or "all" not in arms:
        return
    before, after = arms["none"], arms["all"]
    yield Fact(f"{report.accuracy} before", "share", before.accuracy)
    yield Fact("after", "share", after.accuracy)
    yield Fact("change", "share", after.accuracy_change)
    yield Fact("logit_diff change", "logits", after.logit_diff_change)
    if after.accuracy.value is not None:
        yield Fact("repaired", "prompts", exactly(after.repaired))
        yield Fact("broken", "prompts", exactly(after.broken))
    actions = [action.text for action in report.intervention.actions]
    for arm in report.arms:
        if arm not in (before, after):
            yield Fact(f"{arm.name} alone" if arm.name in actions else arm.name, "share", arm.accuracy)
    if report.p_value is not None:
        yield Fact("p-value against random heads", "p", exactly(report.p_value))


def _downstream(report: InterventionReport) -> Iterator[Step]:
    """The claims about heads under the intervention, how the change of their attention goes with their importance, and
    whose effect on the logits is another."""
    claims = [each for each in report.claims if each.claim.term.measure in AFTER]
    ranked = [each for each in report.downstream if each.correlation.value is not None]
    facts = [
        *map(_claimed, claims),
        *(Fact(f"Spearman of change and importance, {each.where}", "", each.correlation) for each in ranked),
    ]
    if facts:
        yield _step("downstream", report.intervention.name, claims, [*facts, *_direct_facts(report)])


def _direct_facts(report: InterventionReport) -> Iterator[Fact]:
    """How many of the later heads have a significant change of direct effect, and the largest of a named one's."""
    certain = [each for each in report.direct if each.effect.certain]
    if report.direct:
        label = f"heads whose direct effect changes significantly, of {len(report.direct)}"
        yield Fact(label, "heads", exactly(len(certain)))
    named = [each for each in certain if each.named]
    if named:
        most = max(named, key=lambda each: abs(each.effect.change.value or 0))
        yield Fact(f"direct effect of {' '.join((most.head, *most.roles))}, change", "", most.effect.change)
