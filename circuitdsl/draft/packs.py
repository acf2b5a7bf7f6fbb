"""Senders that surely do nothing together need no look each: they are patched together first.

1. Every sender is patched alone on the first few prompts (``SIZED``). That sizes it, and decides nothing.
2. Senders into one input that change the metric in the same direction there are packed, the smallest first, as long as
   the sizes of a pack add up to no more than ``FILLED`` of the floor. What is larger is in no pack.
3. A pack is patched as one. If its effect is surely within the floor (``entry.Nothing``), all in it are settled.
   Otherwise it is divided into about as many parts as each of them has senders, three or more, which are patched as one
   likewise. Who is in a part that is not settled is measured alone. So there are at most as many patches as pairs of
   senders.

Patching decides, and sizes only say who is asked together. A sender beyond the floor is settled wrongly if that is said
of its pack by chance, which is one more look at it, or if the rest of its pack undoes what it does, in spite of
step 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

SIZED = 4
"""On how many prompts senders are sized."""

FILLED = 0.5
"""What the sizes in a pack add up to, at most, as a share of the floor."""

LOOKS = 2
"""By how many packs a sender may be settled: a whole one, and a part of it."""

Sender = TypeVar("Sender", bound=Hashable)
Input = TypeVar("Input", bound=Hashable)

Pack = tuple[Sender, ...]

Among = Callable[[Sequence[Pack[Sender]]], Collection[Pack[Sender]]]
"""Those of some packs that are surely within the floor, each patched as one."""


def settled_together(packs: Sequence[Pack[Sender]], nothing_among: Among[Sender]) -> frozenset[Sender]:
    """The senders of packs that are settled, whole or in part."""
    whole = frozenset(nothing_among(packs))
    parts = [part for pack in packs if pack not in whole for part in parts_of(pack)]
    found = (*whole, *nothing_among(parts)) if parts else whole
    return frozenset(sender for pack in found for sender in pack)


def packed(sizes: Mapping[Sender, float], into: Mapping[Sender, Input], floor: float) -> list[Pack[Sender]]:
    """Packs of two senders or more, of those into one input, by their signed ``sizes``, in the unit of the floor.

    >>> sizes = {"a": 0.001, "b": -0.004, "c": 0.003, "d": 0.002, "e": 0.03, "f": -0.0}
    >>> packed(sizes, dict.fromkeys(sizes, "q"), 0.01)
    [('f', 'a', 'd')]
    """
    alike: dict[tuple[Input, bool], list[Sender]] = {}
    for sender in sorted(sizes, key=lambda each: abs(sizes[each])):
        alike.setdefault((into[sender], sizes[sender] < 0), []).append(sender)
    return [pack for some in alike.values() for pack in _filled(some, sizes, FILLED * floor) if len(pack) > 1]


def _filled(senders: Sequence[Sender], sizes: Mapping[Sender, float], most: float) -> Iterator[Pack[Sender]]:
    """Senders one after another, as long as what they add up to is no more than ``most``."""
    pack: list[Sender] = []
    total = 0.0
    for sender in senders:
        size = abs(sizes[sender])
        if pack and total + size > most:
            yield tuple(pack)
            pack, total = [], 0.0
        pack.append(sender)
        total += size
    yield tuple(pack)


def parts_of(pack: Pack[Sender]) -> Iterator[Pack[Sender]]:
    """A pack in about as many parts as each has senders; none where these would have fewer than three each.

    >>> [len(part) for part in parts_of(tuple(range(10)))], list(parts_of((1, 2, 3, 4)))
    ([3, 3, 3, 1], [])
    """
    size = math.isqrt(len(pack))
    if size > 2:
        yield from (pack[start : start + size] for start in range(0, len(pack), size))
