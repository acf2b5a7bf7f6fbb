"""An atlas of many tasks: what a model does, and heads that several circuits have, against chance, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

import circuitdsl as cd
from benchmarks.atlas import TASKS, ability, main, reused


def circuits(*heads: str):
    """Circuits of mini, of four layers of eight heads."""
    return [
        cd.load(
            text=f"circuit c{number} {{ model mini\ntask ioi\nrole r {{ {listed} }}\nexpect accuracy >= 0% }}"
        ).circuits[0]
        for number, listed in enumerate(heads)
    ]


def test_a_head_that_all_have_is_as_likely_as_all_coins_together():
    """Of layer 1 the circuits have 2, 4 and 1 heads of eight: 2/8 x 4/8 x 1/8."""
    first, *others = reused(circuits("1.0 1.1", "1.0 1.2 1.3 1.4 2.0", "1.0"))
    assert (str(first.head), first.circuits) == ("1.0", ("c0", "c1", "c2"))
    assert first.expected == pytest.approx(7 / 8)
    assert first.p_value == pytest.approx(2 / 8 * 4 / 8 * 1 / 8)
    assert first.p_holm == pytest.approx(min(1.0, 32 * first.p_value))  # of all heads of mini
    assert len(others) == 31 and all(len(row.circuits) < 2 for row in others)


def test_a_head_that_two_of_three_have_counts_all_ways_to_be_so_many():
    """a = 1/8, b = 2/8, c = 1/8: two or three of them."""
    first = reused(circuits("0.3", "0.3 0.4", "0.5"))[0]
    a, b, c = 1 / 8, 2 / 8, 1 / 8
    assert first.circuits == ("c0", "c1")
    assert first.p_value == pytest.approx(a * b * (1 - c) + a * (1 - b) * c + (1 - a) * b * c + a * b * c)


def test_a_head_that_nobody_has_is_no_discovery():
    nobody = [row.p_value for row in reused(circuits("0.0", "0.1")) if not row.circuits]
    assert len(nobody) == 30 and nobody == pytest.approx([1.0] * 30)


def test_a_task_that_a_vocabulary_cannot_say_is_said_to_be_so_and_is_not_drafted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(Path(__file__).parents[2])
    main(["mini", "--tasks", "pronouns", "capitals"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| pronouns", "| capitals"]
    assert all("cannot be said" in row for row in rows)


def test_a_task_is_done_by_who_is_right_more_often_than_a_guess(monkeypatch: pytest.MonkeyPatch):
    """Mini says `orange` after `an`; of four things two were named, and it names them again."""
    monkeypatch.chdir(Path(__file__).parents[2])
    done, not_done = (next(each for each in TASKS if each.name == name) for name in ("articles", "things"))
    row, able = ability(done, "mini", 24)
    assert able and row.endswith("| does it |")
    row, able = ability(not_done, "mini", 24)
    assert not able and "| 50% | no better than a guess" in row
