"""``freeze 9.6 at END``: outputs stay those of the clean run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions.base import Action, ByCleanRun, Reading, Run, Taken, Write, Written, replacing


@dataclass(frozen=True)
class Freeze(Action):
    """Outputs kept as in the clean run."""

    word = "freeze"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        return None if nodes is None else cls(nodes, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> None:
        return None

    @property
    def takes(self) -> Taken:
        return ByCleanRun()

    def writes(self, run: Run) -> list[Write]:
        return replacing(self, run)
