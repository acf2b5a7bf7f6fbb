"""Figures, intervals and bounds as people read them. Shares are fractions in the data and per cent here."""

from __future__ import annotations

import math
from collections.abc import Mapping

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.language.environment import SHAM
from circuitdsl.measures.comparisons import Kind
from circuitdsl.outcome import ClaimOutcome, Part
from circuitdsl.report.marks import SAID

CURVE_KINDS: Mapping[Kind, str] = {
    "direct": "direct effect on the logits",
    "knockout": "knockout",
    "stages": "path patching, stage by stage",
}
"""What the heads of an overlap curve are ranked by."""


def number(value: float | None, unit: str, digits: int | None = None) -> str:
    """A number in a unit; ``-`` for a value that is undefined.

    >>> number(0.873, "share"), number(3.519, "logits"), number(None, "score")
    ('87.3%', '3.52', '-')
    """
    if value is None:
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    scaled = value * 100 if unit == "share" else value
    places = digits if digits is not None else (1 if unit == "share" else 2)
    written = f"{scaled:.{places}f}"
    if float(written) == 0:
        written = written.removeprefix("-")
    return f"{written}%" if unit == "share" else written


def estimate(value: Estimate, unit: str, digits: int | None = None) -> str:
    """A value with its interval; one whose interval rounds to the value itself has no brackets.

    >>> estimate(Estimate(0.873, 0.861, 0.885), "share"), estimate(Estimate(2.0, 2.0, 2.0), "logits")
    ('87.3% [86.1, 88.5]', '2.00')
    >>> estimate(Estimate(0.5, float("-inf"), float("inf")), "share")
    '50.0%, which can be anything'
    """
    said = number(value.value, unit, digits)
    if value.low == -math.inf and value.high == math.inf:
        return f"{said}, which can be anything"
    ends = [number(end, unit, digits) for end in (value.low, value.high)]
    if value.low is None or value.high is None or set(ends) == {said}:
        return said
    return f"{said} [{', '.join(end.removesuffix('%') for end in ends)}]"


def exact(value: float | None, unit: str) -> str:
    """A number of a specification with no more digits than it was written with: ``3``, ``80%``, ``2.5%``."""
    if value is None:
        return "-"
    return f"{value * 100:.10g}%" if unit == "share" else f"{value:.10g}"


def bound(wanted: Bound | Control, unit: str, control: Estimate | None = None) -> str:
    """What a claim wants, in words.

    >>> bound(Bound("in", 0.4, 0.65), "share"), bound(Control("random heads", ">"), "share", Estimate(0.5, 0.4, 0.6))
    ('40% to 65%', 'more than random heads (median 50.0%)')
    """
    if isinstance(wanted, Control):
        against = ""
        if control is not None and control.value is not None:
            spread = "" if control.low == control.high or wanted.name == SHAM else "median "
            against = f" ({spread}{number(control.value, unit)})"
        return f"{'more' if wanted.op == '>' else 'less'} than {wanted.name}{against}"
    low, high = exact(wanted.low, unit), exact(wanted.high, unit)
    match wanted.op:
        case ">=":
            return f"at least {low}"
        case "<=":
            return f"at most {high}"
        case ">":
            return f"more than {low}"
        case "<":
            return f"less than {high}"
        case "in":
            return f"{low} to {high}"
        case "inside":
            return f"between {low} and {high}"
        case "outside":
            return f"at most {low} or at least {high}"


def measured_and_wanted(outcome: ClaimOutcome) -> str:
    """``measured 79.4% [78.1, 80.6], wants at least 80%``: a verdict's reason in a line."""
    if outcome.verdict is Verdict.ERROR:
        return outcome.note or "the experiment could not be run"
    wanted = bound(outcome.claim.bound, outcome.unit, outcome.control)
    everywhere = " on all prompts" * outcome.exact
    return f"measured {measured(outcome)}{everywhere}, wants {wanted}"


def measured(outcome: ClaimOutcome) -> str:
    """A claim's figure, never rounded onto a bound that it misses."""
    return estimate(outcome.estimate, outcome.unit, _digits(outcome))


def of_part(part: Part, outcome: ClaimOutcome) -> str:
    """A part's value with its interval; on how many prompts it was measured, where these are fewer than the claim's."""
    fewer = f", on {plural(part.prompts, 'prompt')}" if part.prompts < outcome.prompts else ""
    return f"{estimate(part.estimate, outcome.unit)}{fewer}"


def _digits(outcome: ClaimOutcome) -> int | None:
    """As many digits as keep a figure that misses its bound from being rounded onto it; None for the usual."""
    wanted = outcome.claim.bound
    if isinstance(wanted, Control):
        return None
    ends = [end for end in (wanted.low, wanted.high) if end is not None]
    seen = [x for x in (outcome.estimate.value, outcome.estimate.low, outcome.estimate.high) if x is not None]
    usual = 1 if outcome.unit == "share" else 2
    for digits in range(usual, usual + 3):
        if not any(
            x != end and number(x, outcome.unit, digits) == number(end, outcome.unit, digits)
            for x in seen
            for end in ends
        ):
            return digits
    return usual + 3


def p_value(value: float | None) -> str:
    """A p-value; ``-`` where it is undefined.

    >>> p_value(0.031), p_value(0.00003), p_value(None)
    ('0.031', '< 0.0001', '-')
    """
    if value is None:
        return "-"
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def p_said(value: float | None) -> str:
    """``p = 0.03``, ``p < 0.0001``: a p-value in running text."""
    written = p_value(value)
    return f"p {written}" if written.startswith("<") else f"p = {written}"


def plural(count: int, word: str, many: str = "") -> str:
    """A number of things.

    >>> plural(1, "head"), plural(1200, "head"), plural(2, "axis", "axes")
    ('1 head', '1,200 heads', '2 axes')
    """
    return f"{count:,} {word if count == 1 else many or word + 's'}"


def on_prompts(count: int, of_page: int) -> str:
    """On how many prompts a figure was measured, where a page that says how many there were would have it understood
    otherwise.

    >>> on_prompts(20, 200), on_prompts(200, 200)
    (' on 20 prompts', '')
    """
    return "" if count == of_page else f" on {plural(count, 'prompt')}"


def seconds(duration: float) -> str:
    """A duration.

    >>> seconds(0.42), seconds(12.34), seconds(245)
    ('0.42 s', '12.3 s', '4 min 5 s')
    """
    if duration < 1:
        return f"{duration:.2f} s"
    if duration < 59.95:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s"


def conclusion(counts: Mapping[str, int], duration: float) -> str:
    """The verdict on a whole report in a sentence, with how long it took.

    >>> conclusion({"holds": 14, "fails": 1, "undecided": 0, "error": 2}, 12.3)
    '14 claims hold, 1 fails, 2 could not be measured (12.3 s)'
    """
    return f"{verdicts(counts)} ({seconds(duration)})"


def verdicts(counts: Mapping[str, int]) -> str:
    """The verdict on a whole report in a sentence.

    >>> verdicts({"holds": 1, "fails": 0, "undecided": 0, "error": 0})
    '1 claim holds; nothing fails, nothing is undecided'
    """
    found = [(counts[str(verdict)], verdict) for verdict in Verdict if counts[str(verdict)]]
    if not found:
        return "there was no claim to judge"
    said = [f"{count:,} {SAID[verdict][count > 1]}" for count, verdict in found]
    first, verdict = found[0]
    said[0] = f"{plural(first, 'claim')} {SAID[verdict][first > 1]}"
    rest = "; nothing fails, nothing is undecided" if [each for _, each in found] == [Verdict.HOLDS] else ""
    return f"{', '.join(said)}{rest}"
