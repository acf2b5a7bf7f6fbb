"""Rank correlation of many rows at once, for bootstrap intervals of it."""

from __future__ import annotations

import numpy as np

from circuitdsl.measures.measurement import Array, ratio


def spearman(left: Array, right: Array) -> Array:
    """Spearman's rank correlation over the last axis (``scipy.stats.spearmanr``, over leading axes at once).

    NaN where one side is constant.
    """
    from scipy import stats  # half a second, which what needs no figures (lint, plan) does without

    ranks = [stats.rankdata(each, axis=-1) for each in (left, right)]
    ours, theirs = (each - each.mean(axis=-1, keepdims=True) for each in ranks)
    return ratio((ours * theirs).sum(axis=-1), np.sqrt((ours**2).sum(axis=-1) * (theirs**2).sum(axis=-1)))
