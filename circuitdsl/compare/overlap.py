"""Two sets side by side, and their shares of each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Overlap:
    """Two sets side by side, spelled as a specification spells their elements. None stands for 0 / 0."""

    shared: tuple[str, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]

    @property
    def left(self) -> int:
        """How many elements the left circuit has."""
        return len(self.shared) + len(self.left_only)

    @property
    def right(self) -> int:
        """How many elements the right circuit has."""
        return len(self.shared) + len(self.right_only)

    @property
    def jaccard(self) -> float | None:
        """Shared over all: |A and B| / |A or B|."""
        return self._share(len(self.shared) + len(self.left_only) + len(self.right_only))

    @property
    def of_smaller(self) -> float | None:
        """Shared over the smaller: |A and B| / min(|A|, |B|), the overlap coefficient."""
        return self._share(min(self.left, self.right))

    @property
    def of_left(self) -> float | None:
        return self._share(self.left)

    @property
    def of_right(self) -> float | None:
        return self._share(self.right)

    def _share(self, total: int) -> float | None:
        return len(self.shared) / total if total else None

    def to_dict(self) -> dict[str, object]:
        return {
            "shared": list(self.shared),
            "left_only": list(self.left_only),
            "right_only": list(self.right_only),
            "jaccard": self.jaccard,
            "of_smaller": self.of_smaller,
            "of_left": self.of_left,
            "of_right": self.of_right,
        }


def overlap(left: Iterable[str], right: Iterable[str]) -> Overlap:
    """Two sets in the order in which they come; what comes twice counts once.

    >>> both = overlap(["9.6", "9.9", "10.0"], ["9.9", "8.1"])
    >>> both.shared, both.of_smaller, both.jaccard
    (('9.9',), 0.5, 0.25)
    """
    ours, theirs = dict.fromkeys(left), dict.fromkeys(right)
    return Overlap(
        shared=tuple(element for element in ours if element in theirs),
        left_only=tuple(element for element in ours if element not in theirs),
        right_only=tuple(element for element in theirs if element not in ours),
    )
