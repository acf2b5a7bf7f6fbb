"""What to try next about a claim that does not hold, by the kind of its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Bound, Claim, Control
from circuitdsl.outcome import ClaimOutcome
from circuitdsl.report.words import exact

_MORE = 4  # times as many prompts, for an interval of half the width


def remedies(outcome: ClaimOutcome, file: str, most: int = 0) -> tuple[str, ...]:
    """Ways on from a claim of ``file`` that does not hold, the likeliest first; none for one that holds.

    ``most`` is how many prompts the method draws at most, 0 where that is not known: fewer are all that the task has.
    """
    match outcome.verdict:
        case Verdict.FAILS:
            return (*_of_failure(outcome, file), *_other_methods(outcome))
        case Verdict.UNDECIDED:
            return tuple(_of_open(outcome, file, most))
        case Verdict.ERROR:
            return (f"`circuitdsl explain {outcome.claim.term.measure}` says what it needs",)
        case Verdict.HOLDS:
            return ()


def _of_failure(outcome: ClaimOutcome, file: str) -> Iterator[str]:
    claim = outcome.claim
    refine = f"`circuitdsl draft --refine {file}` tries changes of the circuit"
    match claim.kind:
        case "member":
            yield f"take it out of role {claim.role}"
            yield refine
        case "edge":
            yield _of_edge(claim, outcome.estimate)
            yield refine
        case "no edge":
            yield f"state it: `{claim.text.removeprefix('no ')} : {_raises(outcome.estimate)}`"
        case _ if isinstance(claim.bound, Control):
            yield refine
        case _ if isinstance(claim.bound, Bound) and (supported := _supported(claim.bound, outcome)):
            yield f"the measurement supports `{supported}`"


def _of_edge(claim: Claim, found: Estimate) -> str:
    stem = claim.text.partition(" : ")[0]
    wanted = claim.bound
    if isinstance(wanted, Bound) and found.low is not None and found.high is not None:
        if wanted.op == "<=" and wanted.high is not None and found.low > -wanted.high:
            return f"the opposite is measured: `{stem} : lowers`"
        if wanted.op == ">=" and wanted.low is not None and found.high < -wanted.low:
            return f"the opposite is measured: `{stem} : raises`"
    return f"take the edge out, or claim `no {stem}`"


def _raises(found: Estimate) -> str:
    return "lowers" if (found.value or 0.0) > 0 else "raises"


def _of_open(outcome: ClaimOutcome, file: str, most: int) -> Iterator[str]:
    claim = outcome.claim
    if claim.kind == "member":
        yield f"`circuitdsl draft --refine {file}` tells whether the circuit needs it"
    if outcome.note:
        yield f"`circuitdsl explain {claim.term.measure}` says what it needs"
    elif outcome.prompts < most:
        yield f"the task has no more than {outcome.prompts} prompts: add some"
    elif outcome.prompts and not outcome.exact:
        yield f"more prompts: `prompts {outcome.prompts} to {_MORE * outcome.prompts}` in the method"
    if outcome.untested:
        return
    if claim.kind == "expect" and isinstance(claim.bound, Bound) and (supported := _supported(claim.bound, outcome)):
        yield f"claim less: the measurement supports `{supported}`"


def _other_methods(outcome: ClaimOutcome) -> Iterator[str]:
    if not outcome.variants and outcome.claim.term.measure in ("faithfulness", "knockout", "minimality"):
        yield "`vary ablate: zero` in the method shows whether it depends on the ablation"


def _supported(wanted: Bound, outcome: ClaimOutcome) -> str:
    """The bound of the same kind that the whole interval meets, in round figures; "" where there is none."""
    low, high = outcome.estimate.low, outcome.estimate.high
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    step = 0.01 if outcome.unit == "share" else 0.1  # a whole per cent, or a tenth of other units
    least, most = (
        exact(rounded(round(end / step, 6)) * step, outcome.unit)
        for end, rounded in ((low, math.floor), (high, math.ceil))
    )
    match wanted.op:
        case ">=" | ">":
            return f"{wanted.op} {least}"
        case "<=" | "<":
            return f"{wanted.op} {most}"
        case "in":
            return f"in {least} .. {most}"
        case _:
            return ""
