"""Layers from the top of a drawing down, neighbours in which nothing is drawn taken together."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import groupby


def runs(layers: int, drawn: Container[int]) -> Iterator[tuple[int, int]]:
    """First and last layer of each row of a drawing: a layer in which something is drawn has a row of its own.

    >>> list(runs(6, {2, 3}))
    [(4, 5), (3, 3), (2, 2), (0, 1)]
    """
    for empty, group in groupby(reversed(range(layers)), key=lambda layer: layer not in drawn):
        rows = list(group)
        if empty:
            yield rows[-1], rows[0]
        else:
            yield from ((layer, layer) for layer in rows)
