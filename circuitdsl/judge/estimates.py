"""An estimate with its interval, and the verdict of a claim."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a claim fared."""

    HOLDS = "holds"
    """The whole interval satisfies the bound: it is surely met."""
    FAILS = "fails"
    """The whole interval violates the bound: it is surely not met."""
    UNDECIDED = "undecided"
    """The prompts do not tell, at the largest number of them that the method allows."""
    ERROR = "error"
    """The experiment could not be run; never counts as one of the three."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its interval, in the unit of its measurement (shares as fractions); None: undefined.

    An end of the interval is infinite where the prompts exclude no value on that side.
    """

    value: float | None
    low: float | None
    high: float | None

    @property
    def unbounded(self) -> bool:
        """Whether an end of the interval is infinite."""
        return any(end is not None and math.isinf(end) for end in (self.low, self.high))

    def to_dict(self) -> dict[str, float | None]:
        """For JSON, which has no infinity: an end that is infinite is null, as one that is undefined."""
        ends = (None if end is None or math.isinf(end) else end for end in (self.low, self.high))
        return {"value": self.value, **dict(zip(("low", "high"), ends, strict=True))}


NOTHING = Estimate(None, None, None)
"""Of what could not be measured."""


def exactly(value: float | None) -> Estimate:
    """A value without sampling error: its interval is the value itself."""
    return Estimate(value, value, value)
