"""Intervals against SciPy's, and what resampling must respect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from circuitdsl.judge.estimates import Estimate
from circuitdsl.judge.intervals import Bootstrap, bca, interval, mean_intervals, spread, strata, zero_p_values
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample, combined, first, relative_change
from samples import known

DATA, OTHER = Data(TaskRef("ioi"), 0, False), Data(TaskRef("induction"), 0, False)


def bootstrap(templates=1, **settings) -> Bootstrap:
    return Bootstrap(lambda data, count: [str(i % templates) for i in range(count)], **settings)


def measured(*columns, combine=first, data=DATA, **settings) -> Measurement:
    return Measurement((Sample(data, np.stack(columns, axis=1)),), combine, **settings)


def width(estimate: Estimate) -> float:
    return known(estimate.high) - known(estimate.low)


def test_bca_agrees_with_scipy_on_a_skewed_mean():
    values = np.random.default_rng(0).lognormal(size=150)
    ours = interval(measured(values), bootstrap(replicates=20_000), 0.95)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
    scale = theirs.high - theirs.low
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * scale)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * scale)


def test_bca_agrees_with_scipy_on_a_paired_ratio_of_means():
    generator = np.random.default_rng(1)
    clean = generator.normal(3, 1, size=120)
    patched = clean * 0.8 + generator.normal(0, 0.3, size=120)
    ours = interval(measured(patched, clean, combine=relative_change), bootstrap(replicates=20_000), 0.9)

    def ratio(a, b, axis=-1):
        return (a.mean(axis) - b.mean(axis)) / np.abs(b.mean(axis))

    theirs = stats.bootstrap(
        (patched, clean), ratio, paired=True, n_resamples=20_000, confidence_level=0.9, method="BCa", rng=2
    ).confidence_interval
    scale = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * scale)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * scale)


def test_prompts_are_resampled_within_templates():
    """Templates that differ only in their level add nothing to the width of an interval of the mean."""
    levels = np.tile([0.0, 10.0], 50)
    noise = np.random.default_rng(3).normal(size=100)
    apart = interval(measured(levels + noise), bootstrap(templates=2), 0.95)
    pooled = interval(measured(levels + noise), bootstrap(templates=1), 0.95)
    assert width(apart) < width(pooled) / 3


def test_few_prompts_a_template_do_not_narrow_the_interval():
    """With two prompts a template, drawn from one distribution, the standard error is the plain one."""
    values = np.random.default_rng(7).normal(size=400)
    means = bootstrap(templates=200, replicates=4000).means(measured(values))
    within = np.mean([np.var(values[i::200], ddof=1) for i in range(200)])
    assert means.std() == pytest.approx(np.sqrt(within / 400), rel=0.05)


def test_templates_with_one_prompt_are_resampled_together():
    values = np.random.default_rng(8).normal(size=50)
    means = bootstrap(templates=50, replicates=4000).means(measured(values))
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(50), rel=0.05)
    assert [list(group) for group in strata(["a", "b", "b", "c"])] == [[1, 2], [0, 3]]
    assert [list(group) for group in strata(["a", "b", "b"])] == [[0, 1, 2]]


def test_one_prompt_has_a_value_and_no_interval():
    estimate = interval(measured(np.array([3.0])), bootstrap(), 0.95)
    assert (estimate.value, estimate.low, estimate.high) == (3.0, None, None)


def test_shares_have_wilsons_interval_even_at_one():
    estimate = interval(measured(np.ones(50), shares=True), bootstrap(), 0.95)
    wilson = stats.binomtest(50, 50).proportion_ci(0.95, method="wilson")
    assert (estimate.value, estimate.low, estimate.high) == (1.0, pytest.approx(wilson.low), pytest.approx(wilson.high))
    assert estimate.low is not None and estimate.low < 1


def test_an_undefined_figure_has_no_interval():
    estimate = interval(measured(np.ones(20), np.zeros(20), combine=relative_change), bootstrap(), 0.95)
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)


def test_a_constant_has_itself_as_interval():
    """Exactly: a bound of 100% must not fail by the rounding of weights."""
    estimate = interval(measured(np.ones(90), np.ones(90), combine=lambda m: m.mean(-1)), bootstrap(7), 0.95)
    assert (estimate.value, estimate.low, estimate.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(8))
def test_what_only_rounding_tells_from_the_value_is_tied_with_it(seed):
    """A difference of shares has few values. Of 60 prompts of 6 templates 54 are drawn, each standing for 10/9 of one,
    so that many replicates of 10 in 60 are 10 in 60 themselves, but for rounding."""
    generator = np.random.default_rng(seed)
    after, before = (generator.permutation(60) < 35).astype(float), (generator.permutation(60) < 25).astype(float)
    apart = interval(measured(after, before, combine=lambda m: m[..., 0] - m[..., 1]), bootstrap(6), 0.95)
    together = interval(measured(after - before), bootstrap(6), 0.95)
    assert [apart.low, apart.high] == pytest.approx([together.low, together.high], rel=1e-9)


def test_the_same_prompts_are_resampled_alike_in_every_measurement():
    values = np.random.default_rng(4).normal(size=80)
    boots = bootstrap()
    one, same = measured(values), measured(values + 7)
    difference = spread(combined([one, same], lambda a, b: b - a), lambda m: m[..., 1] - m[..., 0], boots)
    np.testing.assert_allclose(difference.replicates, 7, atol=1e-9)


def test_a_difference_has_the_interval_of_the_differences():
    """Also where they are skewed: a prompt that is left out is left out of both."""
    generator = np.random.default_rng(6)
    left, right = generator.exponential(size=50), generator.normal(size=50)
    both = interval(combined([measured(left), measured(right)], lambda a, b: a - b), bootstrap(), 0.95)
    alone = interval(measured(left - right), bootstrap(), 0.95)
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))


def test_samples_of_different_data_are_resampled_on_their_own():
    generator = np.random.default_rng(5)
    left, right = generator.normal(1, 1, 100), generator.normal(0, 1, 60)
    both = combined([measured(left), measured(right, data=OTHER)], lambda a, b: a - b)
    estimate = interval(both, bootstrap(replicates=10_000), 0.95)
    error = np.sqrt(left.var(ddof=1) / 100 + right.var(ddof=1) / 60)
    assert estimate.value == pytest.approx(left.mean() - right.mean())
    assert width(estimate) == pytest.approx(2 * 1.96 * error, rel=0.1)


@settings(max_examples=50, deadline=None)
@example([0.0, 2.3852977264460507e-153], 0.8)
@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=40),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_an_interval_is_ordered_and_within_the_replicates(values, confidence):
    column = np.array(values)
    boots = bootstrap(replicates=200)
    one = spread(measured(column), first, boots)
    estimate = bca(one, confidence)
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low <= estimate.high
    assert one.replicates.min() <= estimate.low and estimate.high <= one.replicates.max()


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(6)
    hits = 0
    for seed in range(200):
        estimate = interval(measured(generator.exponential(size=60)), bootstrap(replicates=400, seed=seed), 0.9)
        assert estimate.low is not None and estimate.high is not None
        hits += estimate.low <= 1.0 <= estimate.high
    assert 0.83 <= hits / 200 <= 0.96


def test_many_means_have_the_intervals_that_each_has_alone():
    generator = np.random.default_rng(5)
    columns = [generator.lognormal(size=60), generator.normal(size=60), np.full(60, 0.3), np.r_[np.zeros(59), 1.0]]
    boot = bootstrap(templates=3)
    found = mean_intervals(Sample(DATA, np.stack(columns, axis=1)), boot, 0.9)
    for column, estimate in zip(columns, found, strict=True):
        alone = interval(measured(column), boot, 0.9)
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((alone.value, alone.low, alone.high))
    (one,) = mean_intervals(Sample(DATA, np.array([[2.0]])), boot, 0.9)
    assert (one.value, one.low, one.high) == (2.0, None, None)


def test_p_values_of_no_change_are_those_of_a_z_test_and_of_rounding_one():
    noise = np.random.default_rng(6).normal(size=400)
    noise -= noise.mean()
    columns = [noise + 0.1, noise, np.full(400, 1e-9), np.full(400, 1e-3)]
    found = zero_p_values(Sample(DATA, np.stack(columns, axis=1)), bootstrap(replicates=20_000), 1e-6)
    error = noise.std(ddof=1) / np.sqrt(400)
    assert found[0] == pytest.approx(2 * stats.norm.sf(0.1 / error), rel=0.1)
    assert found[1:] == pytest.approx((1.0, 1.0, 0.0))
    assert zero_p_values(Sample(DATA, np.array([[2.0]])), bootstrap(), 0.0) == (None,)
