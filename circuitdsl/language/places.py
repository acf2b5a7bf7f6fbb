"""What the layouts of a task tell of positions before any model has run: outside of a prompt, missing, too late.

A layout takes every word and mark for a token (``tasks.layout``), so that what is said here is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from circuitdsl.components import ALL, Position
from circuitdsl.language.environment import Environment, Layout, TaskRef


@dataclass(frozen=True)
class Places:
    """Where the positions of a task stand. ``find`` gives the layouts, with BOS if there is one; () if unknown."""

    find: Callable[[], Sequence[Layout]] = tuple
    _faults: dict[Position, str] = field(default_factory=dict[Position, str], compare=False)
    _later: dict[tuple[Position, Position], bool] = field(
        default_factory=dict[tuple[Position, Position], bool], compare=False
    )

    @classmethod
    def of(cls, environment: Environment, task: TaskRef, bos: bool) -> Places:
        """Those of a task that the environment knows."""

        def find() -> Sequence[Layout]:
            layouts = environment.layouts(task)
            return [layout.after_bos() for layout in layouts] if bos else layouts

        return cls(find)

    @cached_property
    def layouts(self) -> Sequence[Layout]:
        return self.find()

    def fault(self, position: Position) -> str:
        """Why prompts, all or some of them, have no such place; "" if they have it, or may have it."""
        if position not in self._faults:
            self._faults[position] = "" if position == ALL or not self.layouts else self._fault(position)
        return self._faults[position]

    def _fault(self, position: Position) -> str:
        lacking = [layout for layout in self.layouts if position.name not in layout.positions]
        if lacking:
            return f"{len(lacking)} of the {len(self.layouts)} prompts have no position {position.name}"
        lengths = sorted(layout.length for layout in self.layouts)
        inside = (0 <= index < layout.length for layout in self.layouts for index in self.tokens(layout, position))
        if any(inside):
            return ""
        most = f"{lengths[0]} to {lengths[-1]}" if lengths[0] < lengths[-1] else f"{lengths[0]}"
        return f"{position} is outside of all prompts, which have some {most} tokens"

    def always_later(self, query: Position, key: Position) -> bool:
        """Whether the key comes after the query in every prompt, so that nothing can look there."""
        if (query, key) not in self._later:
            self._later[query, key] = self._always_later(query, key)
        return self._later[query, key]

    def _always_later(self, query: Position, key: Position) -> bool:
        both = [
            (self.tokens(layout, query), self.tokens(layout, key))
            for layout in self.layouts
            if {query.name, key.name} <= layout.positions.keys()
        ]
        return bool(both) and all(max(queries) < min(keys) for queries, keys in both)

    @staticmethod
    def tokens(layout: Layout, position: Position) -> tuple[int, ...]:
        """The token indices of a position that a layout has."""
        return tuple(index + position.offset for index in layout.positions[position.name])
