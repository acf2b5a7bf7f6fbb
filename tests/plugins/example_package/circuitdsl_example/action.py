"""An action: outputs change their sign."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions import Action, Reading, Run, Write, Written


@dataclass(frozen=True)
class Negate(Action):
    """Outputs multiplied by -1, written ``negate 9.6 at END``."""

    word = "negate"
    grammar = r"""
%extend action: negate
negate: _NEGATE group
_NEGATE.2: /negate\b/
"""

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        return None if nodes is None else cls(nodes, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> None:
        """Nothing follows the nodes."""

    def writes(self, run: Run) -> list[Write]:
        return [Write(name, mask, operator.neg) for name, mask in run.outputs(self.nodes).items()]
