"""How much the groups of a file may stand for, counted before they are expanded.

``{a b} -> {c d}`` is four edges, so that a short text can stand for very many. What is written out one by one is
limited by the size of a file alone: reading and resolving it takes time in proportion to its text.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_PATHS = 20_000
"""Paths that the groups of a file may stand for, however short it is."""

MOST_NODES = 1_000_000
"""Nodes that its paths may name in all, however short it is: a second's work."""

NODES_OF_A_NAME = 10
"""Beyond these a file has as many paths as it names senders and receivers, and this many nodes for each of them."""


@dataclass
class Budget:
    """What the paths of one file have come to so far."""

    written: int = 0
    paths: int = 0
    nodes: int = 0

    def allows(self, written: int, paths: int, nodes: int) -> bool:
        """Count a statement that names ``written`` senders and receivers; False if it stands for too much."""
        self.written += written
        paths, nodes = self.paths + paths, self.nodes + nodes
        if paths > max(MOST_PATHS, self.written) or nodes > max(MOST_NODES, NODES_OF_A_NAME * self.written):
            return False
        self.paths, self.nodes = paths, nodes
        return True
