"""How far a stack of worlds is, told layer by layer while it runs: a stack may take minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Passed = Callable[[int], None]
"""Told of a layer that a pass has run."""


def pass_silently(layer: int) -> None:
    """Nobody waits."""


@dataclass
class StackProgress:
    """Tells of the ``work`` of one stack, in prompts through the model, on from layer ``first`` of ``layers``.

    A pass may go through some layers again, as the one from the receivers on does: what was told of is not told twice.
    """

    tick: Callable[[float], None]
    work: float
    first: int
    layers: int
    told: float = field(default=0.0, init=False)

    def passed(self, layer: int) -> None:
        """A layer was run."""
        self._told(self.work * (layer + 1 - self.first) / max(1, self.layers - self.first))

    def finish(self) -> None:
        """All of it is done."""
        self._told(self.work)

    def undo(self) -> None:
        """It did not fit into memory, and all of it is done again."""
        self.tick(-self.told)
        self.told = 0.0

    def _told(self, done: float) -> None:
        if done > self.told:
            self.tick(done - self.told)
            self.told = done
