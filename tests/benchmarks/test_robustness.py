"""The campaigns in small: that they try what they say and would see a fault."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.robustness import texts
from benchmarks.robustness.checks import difference
from benchmarks.robustness.results import Result, page


@pytest.mark.parametrize(("campaign", "count"), [(texts.specs, 15), (texts.prompts, 300)])
def test_mutated_texts_are_read_or_refused(campaign, count: int, tmp_path: Path):
    found = campaign(count, 1, tmp_path)
    assert found.tried == count
    assert found.faults == []
    assert found.ends["a clear error"] > count / 10


def test_another_exception_would_be_seen(tmp_path: Path):
    def broken(text: str) -> None:
        raise RecursionError("too deep")

    found = texts._campaign("broken", "", ["text"], broken, 3, random.Random(0))
    assert len(found.faults) == 3
    assert "RecursionError: too deep" in page([found], 0)


def test_mutations_are_many_and_the_same_for_a_seed():
    made = [texts.mutated("circuit c { model mini }", random.Random(seed)) for seed in range(40)]
    assert len(set(made)) > 30
    assert made == [texts.mutated("circuit c { model mini }", random.Random(seed)) for seed in range(40)]


def test_a_difference_is_the_largest_of_all_figures():
    one = {"value": 2.0, "parts": [{"low": 1.0, "text": "a"}]}
    assert difference(one, one) == 0
    assert difference(one, {"value": 2.0, "parts": [{"low": 1.5, "text": "a"}]}) == 0.5
    assert difference(one, {"value": 2.0, "parts": [{"low": 1.0, "text": "b"}]}) == float("inf")
    assert difference(one, {"value": 2.0, "parts": []}) == float("inf")


def test_the_page_counts():
    found = Result("campaign", "what it does")
    found.ended("well")
    found.ended("well")
    assert "| campaign | 2 | 0 | 0 |" in page([found], 7)
    assert "* well: 2" in page([found], 7)
