"""Where tokens are said to stand without a tokenizer is where they stand, as far as a plan needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks import TaskError, open_task
from circuitdsl.tasks.layout import Layout, layout_of
from circuitdsl.tasks.prompts import TextPrompt

TOLERANCE = 0.1
TASKS = ("ioi", "colored_objects", "greater_than", "acronyms", "induction", "agreement", "pronouns")


def reach(position: str, lengths: Sequence[int], places: Sequence[Mapping[str, tuple[int, ...]]]) -> float:
    """The longest way from a position to END, as a share of the longest prompt: what a plan reads of layouts."""
    return max(each["END"][0] - min(each[position]) + 1 for each in places) / max(lengths)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("bos", [False, True])
def test_layouts_are_those_of_drawn_prompts(name: str, bos: bool, tokenizer):
    task = open_task(TaskRef(name))
    try:
        drawn = task.draw(tokenizer, 60, 0, bos).prompts
    except TaskError as reason:
        pytest.skip(reason.message)  # a vocabulary without the words
    layouts = [layout.after_bos() if bos else layout for layout in task.layouts()]
    assert {*layouts[0].positions} == {position.name for position in task.info.positions} | ({"BOS"} if bos else set())
    lengths, longest = [len(prompt.tokens) for prompt in drawn], max(layout.length for layout in layouts)
    assert longest == pytest.approx(max(lengths), rel=TOLERANCE)
    for position in layouts[0].positions:
        said = reach(position, [longest], [layout.positions for layout in layouts])
        assert said == pytest.approx(reach(position, lengths, [prompt.positions for prompt in drawn]), abs=TOLERANCE)


def text(written: str, **spans: tuple[int, int]) -> TextPrompt:
    return TextPrompt(written, " x", (" y",), (" x", " y"), {name: (span,) for name, span in spans.items()}, {}, "t")


def test_words_marks_line_ends_and_pairs_of_digits_are_tokens():
    found = layout_of(text("Mary, in 1732:\nno", NAME=(0, 4), CENTURY=(9, 11), YEAR=(11, 13)))
    assert found == Layout(8, {"NAME": (0,), "CENTURY": (3,), "YEAR": (4,), "END": (7,)})


def test_a_span_ends_a_token():
    """As the letters of an acronym, which task and tokenizer keep apart."""
    assert layout_of(text("the (CE", L1=(5, 6), L2=(6, 7))).positions == {"L1": (2,), "L2": (3,), "END": (3,)}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_text_has_a_layout_with_its_positions_inside(data: st.DataObject):
    written = data.draw(st.text(min_size=1, max_size=40))
    start = data.draw(st.integers(0, len(written) - 1))
    found = layout_of(text(written, P=(start, data.draw(st.integers(start + 1, len(written))))))
    assert found.length >= 1
    assert all(0 <= index < found.length for places in found.positions.values() for index in places)
    assert found.positions["P"] <= found.positions["END"]


def test_own_prompts_are_laid_out_by_their_spans(tmp_path: Path):
    rows: list[dict[str, object]] = [
        {"prompt": "When Mary and John met, John waved to", "answer": " Mary", "wrong": [" John"]},
        {"prompt": "John met Mary. John waved to", "answer": " Mary", "wrong": [" John"]},
    ]
    for row, first, last in zip(rows, (14, 0), (24, 15), strict=True):
        row["positions"] = {"FIRST": [first, first + 4], "LAST": [last, last + 4]}
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    layouts = open_task(TaskRef("file", (("", "my.jsonl"),), str(tmp_path))).layouts()
    assert layouts == (
        Layout(9, {"FIRST": (3,), "LAST": (6,), "END": (8,)}),
        Layout(7, {"FIRST": (0,), "LAST": (4,), "END": (6,)}),
    )
