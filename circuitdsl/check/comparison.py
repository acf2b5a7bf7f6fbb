"""Check a compare block: claims of structure need no model, those of function are judged like any other."""

from __future__ import annotations

from collections.abc import Callable

from circuitdsl.check.bench import Bench
from circuitdsl.check.overlap import judge_overlap
from circuitdsl.compare.structure import compare
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome import ComparisonReport
from circuitdsl.plan.comparison import ComparisonPlan


def check_comparison(plan: ComparisonPlan, bench_of: Callable[[Circuit], Bench]) -> ComparisonReport:
    """Judge the claims of a comparison, in the order of the file. ``bench_of`` opens a circuit's model if need be."""
    comparison, left, right = plan.comparison, plan.left, plan.right
    structure = compare(left, right, comparison.align)
    functional = bench_of(right).judge(plan.claims) if plan.claims else ()
    judged = {outcome.claim: outcome for outcome in functional}
    outcomes = (judged.get(claim) or judge_overlap(claim, structure, left, right) for claim in comparison.claims)
    return ComparisonReport(comparison, structure, tuple(outcomes))
