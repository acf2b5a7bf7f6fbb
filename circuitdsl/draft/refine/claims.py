"""What becomes of the author's claims: those of the changed file that do not hold, with how they fared before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from circuitdsl.check.bench import Bench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit, Claim
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome.claims import ClaimOutcome
from circuitdsl.outcome.refinement import ClaimChange
from circuitdsl.plan.circuit import claim_job
from circuitdsl.plan.job import Started


def claim_changes(before: Circuit, after: Circuit, bench: Bench) -> Iterator[ClaimChange]:
    """Claims of the changed circuit that may have changed and do not hold, but for those that fared no better before.

    Both circuits are on the judging prompts. A claim is the same one where it says the same.
    """
    known = {_said(claim): claim for claim in before.claims}
    changed = [claim for claim in after.claims if _may_differ(claim, known.get(_said(claim)), before, after)]
    failing = [each for each in _judged(after, changed, bench) if each.verdict is not Verdict.HOLDS]
    old = [known[_said(each.claim)] for each in failing if _said(each.claim) in known]
    earlier = {_said(each.claim): each.verdict for each in _judged(before, old, bench)}
    for each in failing:
        verdict = earlier.get(_said(each.claim))
        if verdict is None or _BEST_FIRST.index(verdict) < _BEST_FIRST.index(each.verdict):
            claim = each.claim
            yield ClaimChange(claim.line, claim.text, verdict, each.verdict, each.estimate, each.unit)


_BEST_FIRST = (Verdict.HOLDS, Verdict.UNDECIDED, Verdict.FAILS, Verdict.ERROR)


def _said(claim: Claim) -> tuple[str, str]:
    return claim.kind, claim.text


def _may_differ(claim: Claim, earlier: Claim | None, before: Circuit, after: Circuit) -> bool:
    """Whether a claim is new, or is about other nodes than before, or about what the circuit as a whole does."""
    whole = claim.kind == "member" or measure_infos()[claim.term.measure].of_whole
    return earlier is None or earlier.term != claim.term or (whole and before.roles != after.roles)


def _judged(circuit: Circuit, claims: Iterable[Claim], bench: Bench) -> tuple[ClaimOutcome, ...]:
    return bench.judge({claim: Started(claim_job(circuit, claim)) for claim in claims})
