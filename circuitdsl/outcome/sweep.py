"""What a sweep found: every sender's figure, in the order of their sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from circuitdsl.components import Head, Node
from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Estimate
from circuitdsl.language.circuit import Term
from circuitdsl.language.environment import Unit
from circuitdsl.outcome.circuit import OnModel, Performance, method_facts
from circuitdsl.outcome.claims import EXIT_ERROR, EXIT_HOLDS
from circuitdsl.outcome.frames import frame
from circuitdsl.outcome.ran import Ran

if TYPE_CHECKING:
    from pandas import DataFrame

Finding = Literal["beyond", "within", "open", "measured", "not measured"]
"""What is known of a sender: its figure is surely beyond the floor, all senders corrected for each other; or surely
within it, each sender for itself (``judge.race``); or neither; or no floor is set for it; or there is no figure."""

_OF_CLAIMS = ("prompts", "prompts_all", "positions", "confidence", "members", "errors")
"""Settings that a sweep has none of, or states by itself."""


@dataclass(frozen=True)
class SenderOutcome:
    """One sender's figure. ``estimate``'s interval holds for all senders of the sweep together (Bonferroni).

    ``prompts`` is how many it was measured on: fewer than all where they told that its figure is within the floor.
    ``p_value`` is that of its being within the floor, ``p_holm`` the same corrected for all senders, one where it was
    settled on fewer prompts; both None for a figure without a floor. ``note`` says why there is no figure, or what to
    know of it.
    """

    node: Node
    estimate: Estimate
    finding: Finding
    prompts: int = 0
    p_value: float | None = None
    p_holm: float | None = None
    note: str = ""

    @property
    def head(self) -> int | None:
        """Its index in its layer; None for what is no head."""
        component = self.node.component
        return component.index if isinstance(component, Head) else None

    def to_dict(self) -> dict[str, object]:
        component = self.node.component
        return {
            "sender": str(component),
            "position": str(self.node.position),
            "layer": component.layer,
            "head": self.head,
            **self.estimate.to_dict(),
            "prompts": self.prompts,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "finding": self.finding,
            "note": self.note,
        }


@dataclass(frozen=True)
class SeriesOutcome:
    """One term of a sweep, of each sender alone, strongest first.

    ``left_out`` are senders that write after what they are to reach. ``withheld`` says why no figure is given, where
    they would mean nothing: shares of the metric of a model that does not do the task.
    """

    term: Term
    unit: Unit
    senders: tuple[SenderOutcome, ...]
    left_out: tuple[Node, ...] = ()
    withheld: str = ""

    @property
    def counts(self) -> Mapping[Finding, int]:
        """How many senders there are of each finding."""
        return Counter(sender.finding for sender in self.senders)

    @property
    def failed(self) -> bool:
        """Whether there are senders, and none of them could be measured."""
        return bool(self.senders) and not self.withheld and self.counts["not measured"] == len(self.senders)

    def to_dict(self) -> dict[str, object]:
        return {
            "term": str(self.term),
            "measure": self.term.measure,
            "arguments": self.term.to_dict(),
            "unit": self.unit,
            "withheld": self.withheld,
            "left_out": [str(node) for node in self.left_out],
            "senders": [sender.to_dict() for sender in self.senders],
        }


@dataclass(frozen=True, repr=False, kw_only=True)
class SweepReport(Displayed, OnModel, Ran):
    """A sweep of a model on a task.

    ``confidence`` is that of all intervals together and of all senders beyond the floor, ``each`` that of one interval.
    ``example`` is one prompt, for people.
    """

    performance: Performance
    series: tuple[SeriesOutcome, ...]
    prompts: int
    confidence: float
    each: float
    example: str = ""

    @property
    def exit_code(self) -> int:
        """0, or 4 if there is a term of which no sender could be measured."""
        return EXIT_ERROR if any(series.failed for series in self.series) else EXIT_HOLDS

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a sender, with its term first; what is undefined or infinite is None."""
        for series in self.series:
            for sender in series.senders:
                yield {"term": str(series.term), "unit": series.unit, **sender.to_dict()}

    def to_frame(self) -> DataFrame:
        """The rows as a pandas frame. Raises InputError where pandas is not installed."""
        return frame(self.rows())

    def to_dict(self) -> dict[str, object]:
        """Its JSON, as docs/sweep.schema.json has it."""
        return {
            "schema": "circuitdsl/sweep/2",
            **self.ran_dict(),
            **self.model_dict(),
            "task": str(self.circuit.task),
            "prompts": self.prompts,
            "method": method_facts(self.circuit.method, without=_OF_CLAIMS),
            "reference": self.reference.to_dict() if self.reference else None,
            "performance": self.performance.to_dict(),
            "confidence": {"together": self.confidence, "each": self.each},
            "series": [series.to_dict() for series in self.series],
            "notes": list(self.notes),
            "exit": self.exit_code,
        }
