"""``patch 9.6 at END from abc``: outputs come from the prompt's counterfactual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions.base import Action, ByCounterfactual, Reading, Run, Taken, Write, Written, replacing


@dataclass(frozen=True)
class Patch(Action):
    """Outputs taken from ``counterfactual``."""

    counterfactual: str

    word = "patch"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        found = reading.counterfactual(written.parts[0]) if nodes is not None else None
        return cls(nodes, found, text=text) if nodes is not None and found else None

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        return f"from {part_text(parts[0])}"

    @property
    def takes(self) -> Taken:
        return ByCounterfactual(self.counterfactual)

    def writes(self, run: Run) -> list[Write]:
        return replacing(self, run)
