"""An estimate with its interval, and the verdict of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a claim fared."""

    HOLDS = "holds"
    """The whole interval satisfies the bound."""
    FAILS = "fails"
    """The whole interval violates the bound."""
    UNDECIDED = "undecided"
    """The interval holds values on both sides of the bound at the largest number of prompts that the method allows."""
    ERROR = "error"
    """The experiment could not be run; never counts as one of the three."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its interval, in the unit of its measurement (shares as fractions); None: undefined."""

    value: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


NOTHING = Estimate(None, None, None)
"""Of what could not be measured."""


def exactly(value: float | None) -> Estimate:
    """A value without sampling error: its interval is the value itself."""
    return Estimate(value, value, value)
