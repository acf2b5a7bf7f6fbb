"""``scale 9.6 at END by 0.5``: outputs are multiplied by a factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions.base import Action, Reading, Run, Write, Written

LARGEST = 1e6


@dataclass(frozen=True)
class Scale(Action):
    """Outputs multiplied by ``factor``."""

    factor: float = 1.0

    word = "scale"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes, (factor,) = reading.nodes(written.nodes), written.parts
        if abs(factor.value) > LARGEST:
            reading.report("C105", f"`{factor.text}` is beyond any use", factor.span, "write it smaller")
            return None
        return None if nodes is None else cls(nodes, factor.value, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        return f"by {part_text(parts[0])}"

    def writes(self, run: Run) -> list[Write]:
        return [Write(name, mask, self._scaled) for name, mask in run.outputs(self.nodes).items()]

    def _scaled(self, activation: Any) -> Any:
        return activation * self.factor
