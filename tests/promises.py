"""Whether the stages of a draft take no more than their plans say."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Promises:
    """Listens to the progress of a draft. ``steps`` has, of every step that is planned by itself, what was done and
    what was expected at each tick."""

    steps: dict[str, list[tuple[int, int]]] = field(default_factory=dict[str, list[tuple[int, int]]])

    def __call__(self, done: int, expected: int, what: str) -> None:
        stage, _, part = what.partition(": ")
        if stage.startswith("stage ") and part != "what they look at":
            step = f"{stage}, inputs" if part.startswith("which inputs") else stage
            self.steps.setdefault(step, []).append((done, expected))

    def kept(self) -> bool:
        """Progress expects what is done where that is more: then what is expected grows."""
        return all(len({expected for _, expected in ticks}) == 1 for ticks in self.steps.values())
