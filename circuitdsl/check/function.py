"""Two circuits compared in function: parts on both tasks, whether they dissociate, overlap at every threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from circuitdsl.check.bench import Bench
from circuitdsl.check.ranking import effects
from circuitdsl.check.references import notes_on_task
from circuitdsl.compare.curve import Curve, curve
from circuitdsl.compare.structure import compare
from circuitdsl.components import ALL, all_heads
from circuitdsl.engine.base import Engine
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.verdicts import decide, judge
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.comparisons import PARTS, SIDES, Kind, Part, Side, grafted
from circuitdsl.measures.controls import RANDOM_SETS
from circuitdsl.measures.estimands import mean_of
from circuitdsl.measures.measurement import CannotMeasure, Failure, Measurement
from circuitdsl.outcome import Cell, Dissociation, Function, FunctionalComparison
from circuitdsl.outcome.function import Dissociated
from circuitdsl.plan.function import FunctionPlan, PartPlan, components_of
from circuitdsl.plan.job import Started


def check_function(plan: FunctionPlan, bench: Bench, quoted: float | None = None) -> FunctionalComparison:
    """Compare two circuits of one model in structure and in function, and draw the curves that are planned.

    ``quoted`` is the overlap whose threshold the curves look for, by itself that of the two circuits.
    """
    structure = compare(plan.left, plan.right, plan.align)
    looked_for = structure.heads.of_smaller if quoted is None else quoted
    curves: list[Curve] = []
    notes: list[str] = []
    for kind in plan.rankings:
        try:
            curves.append(_curve(plan, kind, bench, looked_for))
        except CannotMeasure as reason:
            notes.append(f"no {kind} curve: {reason}")
    function = _function(plan, bench)
    return FunctionalComparison(structure, function, tuple(curves), (*notes, *bench.session.remarks))


def _curve(plan: FunctionPlan, kind: Kind, bench: Bench, quoted: float | None) -> Curve:
    ours, theirs = (effects(ranking, bench) for ranking in plan.rankings[kind])
    left, right = plan.left, plan.right
    return curve(
        kind,
        (left.name, right.name),
        all_heads(left.geometry),
        ours,
        theirs,
        bench.bootstrap,
        max(left.method.confidence, right.method.confidence),
        left.geometry.n_heads,
        quoted,
    )


def _function(plan: FunctionPlan, bench: Bench) -> Function:
    """What the parts do on both tasks, on each task's first prompts under its own method."""
    cells = [cell for side in SIDES for cell in _cells(plan, side, bench)]
    return Function(
        left=plan.left.name,
        right=plan.right.name,
        tasks=(str(plan.left.task), str(plan.right.task)),
        cells=tuple(sorted(cells, key=lambda cell: PARTS.index(cell.part))),
        dissociation=_dissociation(plan, bench),
        notes=(
            *_engine(bench.session.engine),
            *_notes(plan),
            *(note for circuit in (plan.left, plan.right) for note in notes_on_task(bench.session, circuit)),
        ),
    )


def _engine(engine: Engine) -> Iterator[str]:
    """What a reader has to know of how the model ran."""
    if engine.dtype != "float32":
        yield f"the model ran in {engine.dtype}"
    if engine.note:
        yield engine.note


# --- parts -----------------------------------------------------------------------------------------


def _cells(plan: FunctionPlan, side: Side, bench: Bench) -> Iterator[Cell]:
    """All parts on one task."""
    method = (plan.left if side == "left" else plan.right).method
    parts = plan.parts[side]
    jobs = [job for part in parts.values() for job in part.jobs]
    measured = bench.measure(jobs, method.prompts_first)
    for name, part in parts.items():
        yield _cell(name, side, part, measured, bench, method.confidence)


def _cell(
    name: Part,
    side: Side,
    part: PartPlan,
    measured: Mapping[Started, Measurement | Failure],
    bench: Bench,
    confidence: float,
) -> Cell:
    return Cell(name, side, len(components_of(part.circuit)), *of_part(part, measured, bench, confidence))


def of_part(
    part: PartPlan, measured: Mapping[Started, Measurement | Failure], bench: Bench, confidence: float
) -> tuple[Estimate, Estimate, str]:
    """What a part keeps alone and what its removal changes, and why either could not be had."""
    if part.kept is None or part.removed is None:
        return NOTHING, NOTHING, "no heads"
    results = [measured[job] for job in (part.kept, part.removed)]
    kept, removed = (bench.estimate(result, confidence) for result in results)
    reasons = dict.fromkeys(result.message for result in results if isinstance(result, Failure))
    return kept, removed, "; ".join(reasons)


# --- dissociation ----------------------------------------------------------------------------------


def _dissociation(plan: FunctionPlan, bench: Bench) -> Dissociation:
    left, right = plan.left.method, plan.right.method
    both = bench.measure([plan.dissociation], max(left.prompts_first, right.prompts_first))[plan.dissociation]
    if isinstance(both, Failure):
        return Dissociation(NOTHING, NOTHING, NOTHING, NOTHING, "undecided", NOTHING, 0, None, both.message)
    return _judged(both, bench, max(left.confidence, right.confidence), plan.note)


def _judged(both: Measurement, bench: Bench, confidence: float, note: str) -> Dissociation:
    left, right = (bench.estimate(way, confidence) for _, way in both.parts)
    ways = [way.estimand for _, way in both.parts]
    halves = replace(both, estimand=mean_of(ways))
    against = judge(bench.weighed(both), Control("random heads"), confidence) if both.control else None
    return Dissociation(
        left=left,
        right=right,
        smaller=bench.estimate(both, confidence),
        interaction=bench.estimate(halves, confidence),
        kind=_kind(left, right),
        random=(against and against.control) or NOTHING,
        pairs=RANDOM_SETS if both.control else 0,
        p_value=against.p_value if against else None,
        note=note,
    )


def _kind(left: Estimate, right: Estimate) -> Dissociated:
    ours, theirs = (_above_zero(estimate) for estimate in (left, right))
    if Verdict.UNDECIDED in (ours, theirs):
        return "undecided"
    names: dict[tuple[bool, bool], Dissociated] = {
        (True, True): "double",
        (True, False): "left only",
        (False, True): "right only",
        (False, False): "none",
    }
    return names[ours is Verdict.HOLDS, theirs is Verdict.HOLDS]


def _above_zero(estimate: Estimate) -> Verdict:
    if estimate.low is None or estimate.high is None:
        return Verdict.UNDECIDED
    return decide(Bound(">", low=0.0), estimate.low, estimate.high)


# --- words -----------------------------------------------------------------------------------------


def _notes(plan: FunctionPlan) -> Iterator[str]:
    for source, onto in ((plan.left, plan.right), (plan.right, plan.left)):
        roles = [
            role.name for role in grafted(source, onto, plan.align).roles if {n.position for n in role.nodes} == {ALL}
        ]
        if roles:
            yield f"on {onto.name}'s task {', '.join(roles)} of {source.name} stand at all positions"
