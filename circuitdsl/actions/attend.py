"""``attend 9.6 from END to IO by 70%, S2 by 30%``: rows of attention patterns are set to given shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions.base import Action, Reading, Run, Write, Written
from circuitdsl.components import Head, Node, Position

SHARES_TOLERANCE = 0.001
"""How far from 1 the shares of a row may add up to, since they are written rounded."""

WHOLE = "100%"
"""The share that ``evenly`` gives to its position."""


@dataclass(frozen=True)
class Target:
    """A position that rows of attention patterns are set to, and its share of each, a fraction.

    Each of the position's n tokens has 1/n of the share; where several targets name a token, it has the sum.
    """

    position: Position
    share: float = 1.0


@dataclass(frozen=True)
class Attend(Action):
    """Rows of the patterns of ``nodes``, heads at the query position, set to what ``targets`` say and 0 elsewhere.

    The targets' shares add up to 1.
    """

    targets: tuple[Target, ...]

    word = "attend"
    of_pattern = True

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        place, *parts = written.parts
        query, targets = reading.position(place), _targets(parts, reading)
        nodes = reading.nodes(written.nodes)
        if query is None or targets is None or nodes is None:
            return None
        others = [node for node in nodes if not isinstance(node.component, Head)]
        if others:
            message = f"`{others[0].component}` attends to nothing: it is no head"
            reading.report("C517", message, written.nodes.span, "name heads only")
            return None
        rows = tuple(dict.fromkeys(Node(node.component, query) for node in nodes))
        return cls(rows, targets, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        query, *targets = parts
        if [target.share.text for target in targets] == [WHOLE]:
            return f"from {part_text(query)} to {part_text(targets[0].place)} evenly"
        shares = (f"{part_text(target.place)} by {part_text(target.share)}" for target in targets)
        return f"from {part_text(query)} to {', '.join(shares)}"

    @property
    def keys(self) -> tuple[Position, ...]:
        return tuple(target.position for target in self.targets)

    def writes(self, run: Run) -> list[Write]:
        if not self.targets:
            run.refuse(f"`{self.text}` does not say what to attend to")
        for node in self.nodes:
            for key in self.keys:
                run.require_causal(node.position, key)
        rows = run.patterns(self.nodes).items()
        return [Write(name, mask, self._row(run)) for name, mask in rows]

    def _row(self, run: Run) -> Callable[[Any], Any]:
        """What a row of attention becomes, [prompts, 1, 1, length]."""
        row: Any = 0.0
        for target in self.targets:
            keys = run.mask(target.position).float()
            row = row + target.share * keys / keys.sum(-1, keepdim=True)
        return lambda activation: row[:, None, None, :]


def _targets(written: Sequence[Any], reading: Reading) -> tuple[Target, ...] | None:
    """The targets, their shares scaled to add up to 1 where rounding keeps them from it; None if they do not."""
    positions = [reading.position(target.place) for target in written]
    shares = [_share(target, reading) for target in written]
    right = _all_different(written, positions, reading)
    if None in positions or None in shares:
        return None
    total = math.fsum(share for share in shares if share is not None)
    if abs(total - 1) > SHARES_TOLERANCE + 1e-9:
        missing = f"{abs(total - 1) * 100:.6g}%"
        remedy = f"give them {missing} more" if total < 1 else f"take {missing} from them"
        message = f"these shares add up to {total * 100:.6g}%, and a row of attention to 100%"
        reading.report("C607", message, written[0].span.to(written[-1].span), remedy)
        return None
    pairs = zip(positions, shares, strict=True)
    made = tuple(Target(position, share / total) for position, share in pairs if position and share)
    return made if right else None


def _share(target: Any, reading: Reading) -> float | None:
    number = target.share
    if 0 < number.value <= 1:
        return number.value
    slip = not number.percent and 1 < number.value <= 100
    remedy = f"write `{number.text}%`" if slip else "a share is more than 0% and at most 100%; leave out what gets none"
    reading.report("C606", f"`{number.text}` is no share of a row of attention", number.span, remedy)
    return None


def _all_different(written: Sequence[Any], positions: Sequence[Position | None], reading: Reading) -> bool:
    """Whether no position stands twice; says where one does."""
    firsts: dict[Position, Any] = {}
    right = True
    for target, position in zip(written, positions, strict=True):
        if position in firsts:
            note = f"the first is at {firsts[position].span}"
            reading.report("C608", f"`{position}` is given two shares", target.span, "write one: their sum", note)
            right = False
        elif position is not None:
            firsts[position] = target
    return right
