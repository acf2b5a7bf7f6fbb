"""A small check, sweep, draft and refinement of mini, and what of them has to come out the same whatever happens."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import circuitdsl as cd
from circuitdsl.language.circuit import Document
from circuitdsl.models import open_model
from circuitdsl.outcome import DraftReport, RefinementReport, Report, SweepReport

SPEC = """circuit c {
  model mini
  task ioi
  method { prompts 8  ablate mean  members none }
  role caller  at END { 1.0 1.1 }
  role fetcher at END { 2.3 2.5 }
  edge caller -> logits : raises
  expect logit_diff >= 5
  expect knockout(caller) in -50% .. 50%
  expect knockout(fetcher) <= -20%
  expect faithfulness >= 10%
}
"""
MEMORY = 400_000  # bytes, so that stacks are small and many


@dataclass(frozen=True)
class Bench:
    """The check, the sweep, the draft and the refinement, with their model open."""

    path: Path
    document: Document
    model: Any

    @classmethod
    def in_folder(cls, folder: Path) -> Bench:
        path = folder / "c.circuit"
        path.write_text(SPEC, encoding="utf-8")
        return cls(path, cd.load(path), open_model("mini").bridge)

    def check(self, **settings: Any) -> Report:
        settings = {"model": self.model, "unexplained": True, "memory": MEMORY, "store": False} | settings
        return cd.check(self.document, **settings)

    def sweep(self, **settings: Any) -> SweepReport:
        terms = ("heads at END -> logits", "knockout(heads)")
        settings = {"store": False, "memory": MEMORY} | settings
        return cd.sweep("ioi", *terms, model=self.model, prompts=8, **settings)

    def draft(self, **settings: Any) -> DraftReport:
        settings = {"store": False, "memory": MEMORY} | settings
        return cd.draft("ioi", model=self.model, prompts=8, stages=2, top="5%", unexplained=False, **settings)

    def refine(self, **settings: Any) -> RefinementReport:
        settings = {"store": False, "memory": MEMORY} | settings
        return cd.refine(self.path, model=self.model, **settings)


AnyReport = Report | SweepReport | DraftReport | RefinementReport


def verdicts(report: AnyReport) -> str:
    """All that a report says of claims, heads, senders and what is proposed, to the last bit, without what it cost and
    its notes."""
    said = report.to_dict()
    return json.dumps([said[part] for part in _SAID if part in said], sort_keys=True)


_SAID = (
    *("circuits", "interventions", "comparisons", "series", "performance"),
    *("stages", "roles", "fed", "text"),  # of a draft
    *("surveys", "proposals", "claims"),  # of a refinement
)


def figures_of(report: Report) -> list[Any]:
    """The claims and heads of a report's circuits."""
    parts = ("claims", "heads", "unexplained")
    return [{part: circuit[part] for part in parts} for circuit in json.loads(verdicts(report))[0]]


def difference(one: Any, other: Any) -> float:
    """By how much of themselves two reports' figures differ at most; infinite where anything else differs."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) / max(abs(one), 1e-3)
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((difference(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max((difference(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    return 0.0 if one == other else math.inf
