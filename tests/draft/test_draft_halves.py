"""The two halves of the prompts: nothing that one has is in the other; and drafts of files of prompts."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.draft.halves import FEWEST, divided, halves_of
from circuitdsl.errors import InputError
from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks.prompts import TextPrompt

torch.set_num_threads(1)


def prompt(number: int, template: str = "one", item: str = "") -> TextPrompt:
    return TextPrompt(f"text {number}", " a", (" b",), (" a", " b"), {}, {}, template, item=item)


PROMPTS = st.lists(
    st.builds(
        prompt,
        st.integers(0, 60),
        st.sampled_from(["one", "two", "three"]),
        st.one_of(st.just(""), st.integers(0, 40).map(str)),
    ),
    min_size=FEWEST,
    max_size=150,
)


@given(PROMPTS, st.integers(0, 9))
def test_every_line_is_in_one_half_and_no_item_in_both(prompts: list[TextPrompt], seed: int):
    lines = tuple(enumerate(prompts, start=1))
    items = {each.item or each.text for each in prompts}
    if len(items) < FEWEST:
        with pytest.raises(InputError, match="too few"):
            divided(lines, seed)
        return
    halves = divided(lines, seed)
    assert sorted([*halves[0], *halves[1]]) == [number for number, _ in lines]
    said = [{prompts[number - 1].item or prompts[number - 1].text for number in half} for half in halves]
    assert not said[0] & said[1]
    assert abs(len(said[0]) - len(said[1])) <= 1
    assert divided(lines, seed) == halves


@given(st.integers(2, 40), st.integers(2, 40))
def test_each_template_gives_half_of_its_lines_to_either_side(first: int, second: int):
    kinds = ["one"] * (first + FEWEST) + ["two"] * second
    halves = divided(tuple((n, prompt(n, kind)) for n, kind in enumerate(kinds)), 0)
    for template in ("one", "two"):
        counts = [Counter(kinds[number] for number in half)[template] for half in halves]
        assert abs(counts[0] - counts[1]) <= 1


def test_a_task_that_writes_its_prompts_draws_those_for_finding_with_another_seed():
    halves = halves_of(TaskRef("ioi"), 7, None)
    assert halves.finding == halves.judging
    assert halves.finding_seed != 7
    assert str(halves.finding_seed) in halves.about


# --- a draft of a file ------------------------------------------------------------------------------

NAMES = ("Mary", "John", "Anna", "Tom", "Paul", "Kate")


def lines() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for giver, other, third in permutations(NAMES, 3):
        text = f"When {giver} and {other} went to the store, {giver} gave a drink to"
        second = text.rindex(giver)
        found.append(
            {
                "prompt": text,
                "answer": f" {other}",
                "wrong": [f" {giver}"],
                "positions": {"S2": [second, second + len(giver)]},
                "counterfactuals": {"other": f"When {third} and {giver} went to the store, {third} gave a drink to"},
                "item": f"{giver} {other}",
            }
        )
    return found


def test_a_file_is_divided_beside_the_specification_which_names_its_half(tmp_path: Path):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines()), encoding="utf-8")
    output = tmp_path / "sub" / "own draft.circuit"
    output.parent.mkdir()
    report = cd.draft(
        tmp_path / "own.jsonl", output=output, prompts=40, unexplained=False, stages=1, reference=4, bos="no"
    )
    output.write_text(report.text, encoding="utf-8")
    halves = [
        [json.loads(line) for line in (output.parent / f"own draft.{part}.jsonl").read_text("utf-8").splitlines()]
        for part in ("finding", "judging")
    ]
    assert len(halves[0]) + len(halves[1]) == len(lines())
    assert not {line["item"] for line in halves[0]} & {line["item"] for line in halves[1]}
    assert 'file("own draft.judging.jsonl")' in report.text and "circuit own_draft" in report.text
    assert 'about "A draft: own.jsonl in mini"' in report.text
    assert report.fed
    assert cd.check(cd.load(output), unexplained=False).exit_code == 0


def test_the_file_itself_is_never_written_over(tmp_path: Path):
    own = tmp_path / "a.finding.jsonl"
    own.write_text("".join(json.dumps(line) + "\n" for line in lines()), encoding="utf-8")
    before = own.read_bytes()
    with pytest.raises(InputError, match="written over"):
        cd.draft(own, output=tmp_path / "a.circuit", prompts=20)
    assert own.read_bytes() == before


def test_where_the_task_is_not_done_nothing_is_drafted(tmp_path: Path):
    wrong = [line | {"answer": line["wrong"][0], "wrong": [line["answer"]]} for line in lines()]  # type: ignore[index]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in wrong), encoding="utf-8")
    report = cd.draft(tmp_path / "own.jsonl", output=tmp_path / "d.circuit", prompts=20, unexplained=False)
    assert (report.text, report.exit_code) == ("", 4)
    assert "does not do this task" in report.withheld and report.withheld in cd.show(report).replace("\n", " ")
