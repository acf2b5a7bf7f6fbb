"""Where a draft looks: the named positions of a task, and tokens beside them, as far as all prompts have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuitdsl.components import END, Position
from circuitdsl.language.environment import BOS
from circuitdsl.tasks.prompts import Prompt

BESIDE = range(1, 6)
"""How many tokens after a named position are looked at too, where heads attend there."""

Tokens = tuple[tuple[int, ...], ...]
"""The tokens of a position, on every prompt."""


@dataclass(frozen=True)
class Places:
    """Positions with their tokens; no two have the same tokens on all prompts. ``named`` come before ``beside``."""

    tokens: dict[Position, Tokens]
    named: tuple[Position, ...]
    beside: tuple[Position, ...]

    def before(self, place: Position) -> tuple[Position, ...]:
        """The positions that a head at a position can read: none of them after it on any prompt."""
        last = [min(found) for found in self.tokens[place]]
        return tuple(
            each
            for each, tokens in self.tokens.items()
            if all(max(found) <= end for found, end in zip(tokens, last, strict=True))
        )


def tokens_at(position: Position, prompts: Sequence[Prompt]) -> Tokens:
    """The tokens of a position, on prompts that all have it."""
    return tuple(tuple(token + position.offset for token in prompt.positions[position.name]) for prompt in prompts)


def places_of(prompts: Sequence[Prompt]) -> Places:
    """The positions that all of some prompts have, but for the BOS token, which no counterfactual changes."""
    names = [name for name in prompts[0].positions if name != BOS and all(name in each.positions for each in prompts)]
    tokens: dict[Position, Tokens] = {}
    seen: set[Tokens] = set()

    def add(position: Position) -> bool:
        found = tokens_at(position, prompts)
        inside = all(max(each) < len(prompt.tokens) for each, prompt in zip(found, prompts, strict=True))
        if not inside or found in seen:
            return False
        seen.add(found)
        tokens[position] = found
        return True

    named = tuple(each for each in (END, *(Position(name) for name in names if name != END.name)) if add(each))
    single = [each for each in named if all(len(found) == 1 for found in tokens[each])]
    beside = tuple(each for by in BESIDE for near in single if add(each := Position(near.name, by)))
    return Places(tokens, named, beside)
