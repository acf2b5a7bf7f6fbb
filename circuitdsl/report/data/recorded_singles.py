"""What reports say of single prompts, read back: nothing that was not looked at goes to the statistics."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping

from circuitdsl.exchange.fields import Field, short
from circuitdsl.judge.singles import MOST, Asked, Singles

_REMEDY = "write the report again: circuitdsl check ... --format json -o report.json"
_MOST_LOOKS = 64
_MOST_FIGURES = 10_000
_LEAST_WEIGHT = 1e-9
_ROUNDING = 1e-3  # of the sum of all weights


def read_asked(field: Field) -> Asked:
    """The prompts of some figures. Raises InputError."""
    has = field.fields(("digests", "units", "strata", "weights"))
    digests = tuple(has["digests"].text().split())
    units, strata = _places(has["units"]), _places(has["strata"])
    weights = _numbers(has["weights"])
    if not len(digests) == len(units) == len(weights) or not 0 < len(digests) <= MOST:
        field.wrong("digests, units and weights are not of the same prompts", _REMEDY)
    sizes = Counter(strata)
    if set(units) != set(range(len(strata))) or set(sizes) != set(range(len(sizes))):
        field.wrong("what is said of the units of prompts does not fit together", _REMEDY)
    if len(sizes) > 1 and min(sizes.values()) == 1:
        field.wrong("a stratum has a single unit, which says nothing of its spread", _REMEDY)
    if min(weights) < _LEAST_WEIGHT or abs(sum(weights) - 1) > _ROUNDING:
        field.wrong("these are no weights that sum to one", _REMEDY)
    return Asked(digests, units, strata, tuple(weights))


def read_singles(field: Field, prompts: Mapping[str, Asked]) -> Singles | None:
    """A figure prompt by prompt; None where the report has none. Raises InputError."""
    if field.value is None:
        return None
    has = field.fields(("prompts", "values", "limits", "needed", "looks", "several", "taken", "ends"))
    if (key := has["prompts"].text()) not in prompts:
        has["prompts"].wrong(f"the report has no prompts {short(key)}", _REMEDY)
    asked, values = prompts[key], _numbers(has["values"])
    if len(values) != len(asked.digests):
        has["values"].wrong(f"these are {len(values)} values of {len(asked.digests)} prompts", _REMEDY)
    limits = None
    if has["limits"].value is not None:
        ends = [end.number() for end in has["limits"].elements()]
        if len(ends) != 2 or ends[0] >= ends[1]:
            has["limits"].wrong(f"{short(ends)} is not a least and a greatest value", _REMEDY)
        limits = (ends[0], ends[1])
    looks = tuple(each.whole() for each in has["looks"].elements())
    if len(looks) > _MOST_LOOKS or any(not 0 < each <= MOST for each in looks) or list(looks) != sorted(set(looks)):
        has["looks"].wrong("these are no numbers of prompts", _REMEDY)
    needed = has["needed"].number()
    if not 0 <= needed <= 1:
        has["needed"].wrong(f"{short(needed)} is no p-value", _REMEDY)
    several, taken = has["several"].whole(), has["taken"].whole()
    if not taken < several <= _MOST_FIGURES:
        has["several"].wrong(f"a figure is one of 1 to {_MOST_FIGURES}, and is that of a place among them", _REMEDY)
    return Singles(asked, values, limits, needed, looks, several, taken, _ends(has["ends"]))


def _ends(field: Field) -> tuple[float | None, float | None] | None:
    """Of an interval; None where an end is open, and where there is none."""
    if field.value is None:
        return None
    ends = [None if end.value is None else end.number() for end in field.elements()]
    if len(ends) != 2 or (ends[0] is not None and ends[1] is not None and ends[0] > ends[1]):
        field.wrong(f"{short(field.value)} are no two ends of an interval", _REMEDY)
    return ends[0], ends[1]


def _numbers(field: Field) -> array[float]:
    """Numbers with blanks between them."""
    try:
        found = array("f", map(float, field.text().split()))
    except (ValueError, OverflowError):
        field.wrong("these are no numbers", _REMEDY)
    if not all(map(math.isfinite, found)):
        field.wrong("not all of these are numbers", _REMEDY)
    return found


def _places(field: Field) -> tuple[int, ...]:
    """Whole numbers, 0 or more, with blanks between them; no more than there can be prompts."""
    words = field.text().split()
    if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
        field.wrong("these are no whole numbers", _REMEDY)
    return tuple(map(int, words))
