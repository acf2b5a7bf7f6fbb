"""The race on random planted models: what it finds is true, and what all heads on all prompts find."""

from __future__ import annotations

from collections import Counter

from benchmarks.race import COLUMNS, main, trial


def test_nothing_is_lost_and_nothing_false_is_found():
    counted = sum((trial(seed, 20) for seed in range(2)), Counter[str]())
    assert counted["found by all"] > 0
    assert counted["lost"] == counted["false"] == 0
    assert counted["measured"] < counted["all"]
    assert counted["fresh hold"] == counted["with some"] > 0


def test_a_number_of_prompts_has_a_line(capsys):
    main(["--models", "1", "--prompts", "16"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["16"]
