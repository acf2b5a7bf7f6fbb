"""What changed between two reports, for people: first what figures depend on, then the claims that changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome.drift import LEVEL, MARGIN, ClaimDrift, Drift
from circuitdsl.report.output import View
from circuitdsl.report.text import Text
from circuitdsl.report.words import estimate, plural

_MARKS = {Verdict.FAILS: "✗", Verdict.ERROR: "!", Verdict.UNDECIDED: "?", Verdict.HOLDS: "✓"}


def render_drift(drift: Drift, view: View) -> RenderableType:
    """The page. Claims that are as they were are listed where ``view`` is verbose."""
    return Group(*_lines(drift, view))


def was_and_is(claim: ClaimDrift) -> str:
    """Its value in both reports, as far as they have it, and by how much it changed on the same prompts."""
    told = (("was", claim.old), ("is", claim.new))
    values = ", ".join(f"{word} {estimate(each.estimate, each.unit)}" for word, each in told if each)
    if claim.difference is None:
        return values
    return f"{values}; on the same prompts it changed by {estimate(claim.difference, claim.last.unit)}"


def _lines(drift: Drift, view: View) -> Iterator[RenderableType]:
    for fact in drift.facts:
        yield Text(f"{fact.what}: {fact.old or 'none'} -> {fact.new or 'none'}")
    if not drift.facts:
        yield Text("weights, versions, tasks and methods are the same")
    yield from (Text(note, style="bold yellow") for note in drift.notes)
    yield Text()
    shown = [claim for claim in drift.claims if view.verbose or claim.verdict is not Verdict.HOLDS]
    for claim in shown:
        yield Text(f"{_MARKS[claim.verdict]} {claim.id}")
        yield Text("    " + "; ".join(part for part in (was_and_is(claim), claim.note) if part), style="dim")
    if shown:
        yield Text()
    verdicts = [claim.verdict for claim in drift.claims]
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    yield Text(
        f"{plural(len(verdicts), 'claim')}: {counts[Verdict.HOLDS]} as before, {counts[Verdict.FAILS]} changed, "
        f"{counts[Verdict.UNDECIDED]} not to be told, {counts[Verdict.ERROR]} could not be run",
        style="bold",
    )
    yield Text(
        f"A value moved if its two intervals do not meet, or if on the same prompts it surely changed by more than "
        f"{MARGIN:.0%} (of it or of one, whichever is more): without any change this is said in {LEVEL:.0%} of "
        "comparisons at most, of whichever claim.",
        style="dim",
    )
