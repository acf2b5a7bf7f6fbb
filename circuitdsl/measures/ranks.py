"""Rank correlation of many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"


def spearman(left: Array, right: Array) -> Array:
    """Spearman's rank correlation over the last axis (``scipy.stats.spearmanr``, over leading axes at once).

    NaN where one side is constant.

    >>> import numpy as np
    >>> spearman(np.array([0.1, 0.2, 0.7]), np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).tolist()
    [1.0, -1.0]
    """
    # Here, for its import takes half a second, and lint and plan compute no correlation.
    import numpy as np
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    ranks: list[Array] = [
        stats.rankdata(each, axis=-1)  # pyright: ignore[reportUnknownMemberType]
        for each in (left, right)
    ]
    ours, theirs = (each - each.mean(axis=-1, keepdims=True) for each in ranks)
    scale: Array = np.sqrt((ours**2).sum(axis=-1) * (theirs**2).sum(axis=-1))
    return np.where(scale > 0, (ours * theirs).sum(axis=-1) / np.where(scale > 0, scale, 1.0), np.nan)
