"""Which verdicts depend on the method, of those that were judged under several (``vary``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Claim, Nodes
from circuitdsl.outcome import ClaimOutcome
from circuitdsl.report.text import Text
from circuitdsl.report.words import plural

_MOST = 8  # claims that are named for one setting


def dependence_summary(outcomes: Sequence[ClaimOutcome]) -> Iterator[Text]:
    """How many verdicts hold under one method and fail under another, and which; those that are open under one apart.

    Nothing where nothing was varied.
    """
    varied = [outcome for outcome in outcomes if outcome.variants]
    if not varied:
        return
    depend = [outcome for outcome in varied if outcome.depends_on_method]
    yield Text()
    count = f"{len(depend)} of {plural(len(varied), 'verdict')}"
    if depend:
        said = f"{count} depend{'s' if len(depend) == 1 else ''} on the method: {'; '.join(_contrasts(depend))}"
        yield Text(said, style="yellow")
    else:
        yield Text(f"no verdict of {len(varied)} fails with one method and holds with another", style="dim")
    mixed = [outcome for outcome in varied if _open_under_one(outcome)]
    if mixed:
        are = f"{'more ' if depend else ''}{'is' if len(mixed) == 1 else 'are'}"
        said = f"{len(mixed)} {are} undecided with one method and decided with another: {_places(mixed)}"
        yield Text(said, style="dim")


def _open_under_one(outcome: ClaimOutcome) -> bool:
    seen = {outcome.verdict, *(variant.verdict for variant in outcome.variants)}
    return outcome.depends_on_method is None and Verdict.UNDECIDED in seen and len(seen - {Verdict.ERROR}) > 1


def _contrasts(depend: Sequence[ClaimOutcome]) -> Iterator[str]:
    """``line 8 fails with ablate zero``: a part for each setting and verdict that is not the claim's own."""
    groups: dict[tuple[str, Verdict], list[ClaimOutcome]] = {}
    for outcome in depend:
        for variant in outcome.variants:
            if variant.verdict in (Verdict.HOLDS, Verdict.FAILS) and variant.verdict is not outcome.verdict:
                groups.setdefault((f"{variant.setting} {variant.setting_value}", variant.verdict), []).append(outcome)
    for (setting, verdict), some in groups.items():
        does = {Verdict.HOLDS: ("holds", "hold"), Verdict.FAILS: ("fails", "fail")}[verdict]
        yield f"{_places(some)} {does[len(some) > 1]} with {setting}"


def _places(outcomes: Sequence[ClaimOutcome]) -> str:
    """``line 8``, ``lines 4 (2.0, 2.4), 8``: where claims stand, and which head of the line is meant."""
    lines: dict[int, list[str]] = {}
    for outcome in outcomes[:_MOST]:
        lines.setdefault(outcome.claim.line, []).extend(_heads(outcome.claim))
    named = ", ".join(f"{line} ({', '.join(heads)})" if heads else str(line) for line, heads in lines.items())
    rest = f" and {len(outcomes) - _MOST} more" if len(outcomes) > _MOST else ""
    return f"line{'s' if len(lines) > 1 else ''} {named}{rest}"


def _heads(claim: Claim) -> Iterator[str]:
    """Of a line that lists several heads, the one that a claim is about."""
    heads = dict(claim.term.arguments).get("heads") if claim.kind == "member" else None
    if isinstance(heads, Nodes):
        yield heads.label
