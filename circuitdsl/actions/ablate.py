"""``ablate 9.6 at END mean by template``: outputs are replaced as an ablation says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions.base import (
    ABLATIONS,
    Ablation,
    Action,
    ByAblation,
    Reading,
    Run,
    Taken,
    Write,
    Written,
    replacing,
)


@dataclass(frozen=True)
class Ablate(Action):
    """Outputs replaced by ``ablation``; None for the method's own way."""

    ablation: Ablation | None = None

    word = "ablate"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        if nodes is None:
            return None
        if not written.parts:
            return cls(nodes, None, text=text)
        (words,) = written.parts
        for ablation in ABLATIONS:
            if words.text == ablation:
                return cls(nodes, ablation, text=text)
        reading.unknown("C213", f"there is no ablation `{words.text}`", words, ABLATIONS, "value")
        return None

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        return part_text(parts[0]) if parts else ""

    @property
    def takes(self) -> Taken:
        return ByAblation(self.ablation)

    def writes(self, run: Run) -> list[Write]:
        return replacing(self, run)
