"""What can be read of the model's output as a term of the language says it: of a claim, or as a method's metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuitdsl.language.circuit import AGAINST_MAX, Count, Term
from circuitdsl.language.environment import PROPORTION
from circuitdsl.measures.estimands import Limits, Mean, average, proportion
from circuitdsl.measures.experiments import MOST_NATS, Hit, Metric, Reading

AMONG_OPTIONS = "among options"


@dataclass(frozen=True)
class Figure:
    """A reading of the output, the least and the greatest value that it can have on a prompt (None: any), and whether
    it is zero or one."""

    reading: Reading
    limits: Limits | None = None
    binary: bool = False

    @property
    def mean(self) -> Mean:
        """What is estimated of it: its mean over prompts, from the first column."""
        return proportion() if self.binary else average(limits=self.limits)


_FIGURES: Mapping[tuple[str, str], Figure] = {
    ("logit_diff", ""): Figure(Metric("logit_diff")),
    ("logit_diff", AGAINST_MAX): Figure(Metric("logit_diff against max")),
    ("accuracy", ""): Figure(Metric("accuracy"), PROPORTION, binary=True),
    ("accuracy", AMONG_OPTIONS): Figure(Metric("accuracy among options"), PROPORTION, binary=True),
    ("probability", ""): Figure(Metric("probability"), PROPORTION),
    ("probability_diff", ""): Figure(Metric("probability_diff"), (-1.0, 1.0)),
    ("log_prob", ""): Figure(Metric("log_prob"), (-MOST_NATS, 0.0)),
    ("reciprocal_rank", ""): Figure(Metric("reciprocal_rank"), PROPORTION),
}
"""By the measurement and the option that changes what is read, "" for none. Other options say where it is read."""


def figure_of(term: Term) -> Figure:
    """What a term reads of the output."""
    number = dict(term.arguments).get("k")
    if isinstance(number, Count):
        return Figure(Hit(number.number), PROPORTION, binary=True)
    keys = ((term.measure, option) for option in term.options)
    return next((_FIGURES[key] for key in keys if key in _FIGURES), None) or _FIGURES[term.measure, ""]
