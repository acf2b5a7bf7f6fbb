"""What a measurement is compared with: bounds in its unit, which some of its values satisfy and others do not."""

from __future__ import annotations

import math
from collections.abc import Mapping

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Bound
from circuitdsl.language.environment import Unit, values_text
from circuitdsl.language.scope import Scope

_UNITS: Mapping[Unit, str] = {
    "share": "a share",
    "logits": "in logits",
    "nats": "in nats",
    "metric": "in the unit of the metric",
    "score": "a plain number",
}


def directed(direction: t.Direction, floor: float) -> Bound:
    """What senders that raise the metric do when patched away: they lower it by more than the floor."""
    return Bound("<=", high=-floor) if direction.word == "raises" else Bound(">=", low=floor)


def resolve_bound(
    scope: Scope,
    judgement: t.AtLeast | t.Between | t.Outside,
    measure: str,
    unit: Unit,
    limits: tuple[float, float],
) -> Bound | None:
    """The bound, its shares as fractions; None after saying what is wrong with it.

    ``limits`` are the least and the greatest value that the measurement can have: a bound that no value satisfies
    is an error, one that all satisfy a warning.
    """
    numbers = [judgement.value] if isinstance(judgement, t.AtLeast) else [judgement.low, judgement.high]
    right = [_has_unit(scope, number, measure, unit) for number in numbers]
    if not all(right):
        return None
    bound = _bound(judgement)
    if bound.low is not None and bound.high is not None and bound.low >= bound.high:
        low, high = (number.text for number in numbers)
        message = f"the range {low} .. {high} is empty"
        remedy = f"write `{bound.op} {high} .. {low}`" if low != high else "widen it"
        scope.report("C506", message, judgement.span, remedy)
        return None
    values = f"its values are {values_text(limits, unit)}"
    if _never(bound, limits):
        message = f"`{measure}` can never satisfy this bound"
        scope.report("C507", message, judgement.span, values)
        return None
    if _always(bound, limits):
        message = f"`{measure}` always satisfies this bound, so nothing is claimed"
        scope.report("C591", message, judgement.span, values)
    return bound


def _bound(judgement: t.AtLeast | t.Between | t.Outside) -> Bound:
    if isinstance(judgement, t.Between):
        return Bound("in", judgement.low.value, judgement.high.value)
    if isinstance(judgement, t.Outside):
        return Bound("outside", judgement.low.value, judgement.high.value)
    value = judgement.value.value
    lower = judgement.op in (">=", ">")
    return Bound(judgement.op, value if lower else None, None if lower else value)


def _has_unit(scope: Scope, number: t.Number, measure: str, unit: Unit) -> bool:
    if not math.isfinite(number.value):
        scope.report("C105", f"`{number.text}` is beyond all numbers", number.span, "write it smaller")
        return False
    if unit == "share" and not number.percent and number.value != 0:
        percent = number.value if abs(number.value) > 1 else number.value * 100
        message = f"`{measure}` is {_UNITS[unit]}, written in per cent"
        scope.report("C503", message, number.span, f"write `{percent:g}%`")
        return False
    if unit != "share" and number.percent:
        message = f"`{measure}` is {_UNITS[unit]}, not a share"
        scope.report("C503", message, number.span, f"write it without `%`: `{number.text[:-1]}`")
        return False
    return True


def _never(bound: Bound, limits: tuple[float, float]) -> bool:
    low, high = limits
    if bound.op == "outside":
        return bound.low is not None and bound.high is not None and bound.low < low and high < bound.high
    below = bound.low is not None and (bound.low > high or (bound.op == ">" and bound.low >= high))
    above = bound.high is not None and (bound.high < low or (bound.op == "<" and bound.high <= low))
    return below or above


def _always(bound: Bound, limits: tuple[float, float]) -> bool:
    low, high = limits
    if bound.op == "outside":
        return (bound.low is not None and bound.low >= high) or (bound.high is not None and bound.high <= low)
    open_below = bound.low is None or (bound.low < low if bound.op == ">" else bound.low <= low)
    open_above = bound.high is None or (bound.high > high if bound.op == "<" else bound.high >= high)
    return open_below and open_above
