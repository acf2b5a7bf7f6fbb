"""Which prompts vary together, and how much each counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weighing import in_templates

from circuitdsl.judge.bootstrap import Bootstrap
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.measures.measurement import Sample


def test_templates_count_equally_whatever_their_numbers():
    """200 prompts of 30 templates: some templates have seven prompts and some six."""
    units = in_templates(200, 30)
    by_template = np.bincount(np.arange(200) % 30, units.weights)
    assert by_template == pytest.approx(1 / 30)
    assert len(units) == 200 and not units.single
    assert in_templates(60, 30).single


def test_a_files_templates_count_by_their_share_of_its_lines_at_any_number_of_prompts():
    """The case `uneven`: 180 lines of one template and 20 of another, of which 40 prompts are 20 of each."""
    shares = {"many": 0.9, "few": 0.1}
    forty = units_of([Origin(("many", "few")[i % 2], i) for i in range(40)], shares)
    everything = units_of([Origin("many" if i < 180 else "few", i) for i in range(200)], shares)
    attention = {"many": 0.06, "few": 0.9}
    at_forty = forty.mean(np.array([attention[("many", "few")[i % 2]] for i in range(40)]))
    at_all = everything.mean(np.array([0.06] * 180 + [0.9] * 20))
    assert float(at_forty) == pytest.approx(float(at_all)) == pytest.approx(0.144)


def test_an_item_in_several_templates_is_one_unit():
    units = units_of([Origin(f"t{i % 4}", i // 4) for i in range(20)], {})
    assert len(units) == 5
    assert units.sizes.tolist() == [5]


def test_copies_are_one_unit():
    assert len(units_of([Origin("t", "the same")] * 40, {})) == 1


def test_prompts_that_share_a_group_of_the_reference_are_one_unit():
    units = units_of([Origin(str(i % 3), i, f"{i % 3}/{i // 3 % 2}") for i in range(30)], {})
    assert len(units) == 6
    assert units.sizes.tolist() == [2, 2, 2]


def test_items_and_groups_join_what_they_overlap_in():
    """A prompt that shares an item with one and a group with another makes one unit of the three."""
    units = units_of([Origin("t", 1, "a"), Origin("t", 1, "b"), Origin("t", 2, "b"), Origin("t", 3, "c")], {})
    assert units.unit.tolist() == [0, 0, 0, 1]


@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 5))
def test_residuals_sum_to_nothing_in_each_stratum(count, templates, seed):
    units = in_templates(count, templates)
    values = np.random.default_rng(seed).normal(size=(count, 2))
    residuals = units.residuals(values)
    for stratum in range(len(units.sizes)):
        assert residuals[units.stratum == stratum].sum(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert units.shares.sum() == pytest.approx(1.0)
    assert float(units.shares @ units.values(values[:, 0])) == pytest.approx(float(units.mean(values)[0]))


def test_the_variance_of_a_stratified_mean_is_the_textbooks():
    """Two templates of three: the sum over strata of share squared times s squared over n (Cochran 1977, 5.3)."""
    values = np.array([1.0, 10.0, 2.0, 14.0, 6.0, 12.0])
    units = in_templates(6, 2)
    residuals = units.residuals(values[:, None])[:, 0]
    variance = sum(1.5 * float((residuals[units.stratum == h] ** 2).sum()) for h in range(2))
    by_hand = sum(0.25 * np.var(values[h::2], ddof=1) / 3 for h in range(2))
    assert variance == pytest.approx(by_hand)


def test_part_of_the_prompts_keeps_their_units():
    units = in_templates(12, 3)
    half = units.part(np.arange(12) % 2 == 1)
    assert (len(half), half.weights.sum()) == (6, pytest.approx(1.0))


def test_bootstrap_replicates_have_the_variance_of_the_mean():
    values = np.random.default_rng(0).normal(size=(90, 1))
    units = in_templates(90, 30)
    found = Bootstrap(lambda sample: units, replicates=20_000).means(Sample(None, values))  # pyright: ignore[reportArgumentType]
    residuals = units.residuals(values)[:, 0]
    variance = sum(1.5 * float((residuals[units.stratum == h] ** 2).sum()) for h in range(30))
    assert float(found.mean()) == pytest.approx(float(values.mean()), abs=0.003)
    assert float(found.var()) == pytest.approx(variance, rel=0.05)
