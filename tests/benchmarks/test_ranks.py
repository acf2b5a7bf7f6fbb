"""The statistics of ranks: what is claimed has intervals that hold, and a mean rank has not."""

from __future__ import annotations

import numpy as np

from benchmarks.ranks import STATISTICS, coverage, long_tailed


def test_shares_and_reciprocal_ranks_are_held_and_the_mean_rank_of_a_model_that_knows_most_is_not():
    ranks = long_tailed(0.98, np.random.default_rng(1))
    held = {name: coverage(ranks, statistic, 20, 200) for name, statistic in STATISTICS.items()}
    assert min(held["hit(10)"], held["reciprocal_rank"]) >= 0.95
    assert max(held["rank"], held["log rank"]) < 0.5


def test_a_population_has_the_share_that_is_known_and_every_rank_of_the_vocabulary_at_most():
    ranks = long_tailed(0.9, np.random.default_rng(2))
    assert 0.9 < (ranks == 1).mean() < 0.91 + 0.1 * np.log(2) / np.log(50_257)
    assert ranks.min() == 1 and 40_000 < ranks.max() <= 50_257
