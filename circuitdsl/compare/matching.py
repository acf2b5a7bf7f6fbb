"""Which roles of two circuits are each other's counterparts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from circuitdsl.compare.overlap import overlap
from circuitdsl.language.circuit import Role

Rule = Literal["align", "name", "heads"]
"""Why two roles are taken for one: an ``align`` line, the same name, or the most heads in common."""


class Match(NamedTuple):
    """A role of the left circuit and its counterpart in the right one, None where there is none."""

    left: str | None
    right: str | None
    rule: Rule | None

    @property
    def name(self) -> str:
        """Both roles as one: ``name_mover ~ mover``, or one name where it is one. No two matches have the same."""
        return " ~ ".join(dict.fromkeys(name for name in (self.left, self.right) if name is not None))


def match_roles(
    left: Sequence[Role], right: Sequence[Role], align: Sequence[tuple[str, str]] = ()
) -> tuple[Match, ...]:
    """Each role with its counterpart: first by ``align``, then by name, then the matching that shares most heads.

    The last is the assignment (Hungarian algorithm) with the largest number of shared heads over all pairs, and
    among those the largest sum of Jaccard indices; roles that share no head stay without a counterpart.
    """
    found: dict[str, tuple[str, Rule]] = {ours: (theirs, "align") for ours, theirs in align}
    taken = {theirs for theirs, _ in found.values()}
    names = {role.name for role in right} - taken
    found |= {role.name: (role.name, "name") for role in left if role.name in names and role.name not in found}
    taken |= {theirs for theirs, _ in found.values()}
    found |= _best_matching(
        [role for role in left if role.name not in found], [role for role in right if role.name not in taken]
    )
    taken |= {theirs for theirs, _ in found.values()}
    ours = tuple(Match(role.name, *found.get(role.name, (None, None))) for role in left)
    return ours + tuple(Match(None, role.name, None) for role in right if role.name not in taken)


def _best_matching(left: Sequence[Role], right: Sequence[Role]) -> dict[str, tuple[str, Rule]]:
    if not left or not right:
        return {}
    import numpy as np
    from scipy.optimize import linear_sum_assignment  # late: lint and fmt need none of it

    overlaps = [[overlap(map(str, ours.heads), map(str, theirs.heads)) for theirs in right] for ours in left]
    # A Jaccard index is at most 1 and at most min(len(left), len(right)) of them are summed: after this division
    # they only break ties between equal numbers of shared heads.
    most = min(len(left), len(right)) + 1
    weights = np.array([[len(o.shared) + (o.jaccard or 0.0) / most for o in row] for row in overlaps])
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return {
        left[i].name: (right[j].name, "heads")
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if overlaps[i][j].shared
    }
