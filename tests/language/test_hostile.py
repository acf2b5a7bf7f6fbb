"""Whatever the text: a tree or a SpecError, never another exception, and twice the work for twice the text."""

from __future__ import annotations

import cProfile
import pstats
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_environment import ENVIRONMENT

from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.format import format_source
from circuitdsl.language.parse import MOST_ERRORS, parse_tolerantly, tokens
from circuitdsl.language.resolve import resolve_source
from circuitdsl.language.source import Source

EXAMPLE = Path(__file__).with_name("example.circuit").read_text(encoding="utf-8")
ENDS = [0, *(token.end_pos or 0 for token in tokens(EXAMPLE))]
WORDS = [EXAMPLE[start:end] for start, end in pairwise(ENDS)]  # each with the white space before it


def everything(text: str) -> int:
    """Parse, resolve, format and render; the number of errors and warnings."""
    try:
        format_source(text)
    except SpecError as error:
        assert error.diagnostics
    try:
        return len(resolve_source(Source("text.circuit", text), ENVIRONMENT).warnings)
    except SpecError as error:
        assert any(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        lines = text.count("\n") + text.count("\r") + 1
        for diagnostic in error.diagnostics:
            assert 0 <= diagnostic.span.line <= lines
            assert diagnostic.span.column >= 0
            assert diagnostic.message
        assert error.render(color=True)
        return len(error.diagnostics)


def test_the_example_is_right():
    assert everything(EXAMPLE) == 0


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_any_text(text: str):
    everything(text)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(sorted({*WORDS, "\n", "#", '"', "{", "}", "(", "é", "1e999%", "9" * 30})), max_size=40))
def test_the_languages_words_in_any_order(words: list[str]):
    everything(" ".join(words))


@settings(max_examples=60)
@given(st.data())
def test_an_example_with_some_words_changed(data: st.DataObject):
    """Words dropped, doubled, swapped for others of the language, or the text cut off."""
    words = list(WORDS)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        change = data.draw(st.sampled_from(("drop", "double", "swap", "cut", "line")))
        match change:
            case "drop":
                words[place : place + 1] = []
            case "double":
                words.insert(place, words[place])
            case "swap":
                words[place] = data.draw(st.sampled_from(WORDS))
            case "cut":
                words = words[: max(place, 10)]
            case _:
                words.insert(place, "\n")
    everything("".join(words))


@settings(max_examples=60)
@given(st.data())
def test_an_example_with_some_characters_changed(data: st.DataObject):
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.text(max_size=2)) + text[place + data.draw(st.integers(0, 3)) :]
    everything(text)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 5_000,
        "circuit a {" * 2_000,
        "circuit a { role b { " + "9.6 " * 2_000 + "} }",
        "circuit a { model gpt2 task ioi role b { " + "0.* " * 2_000 + "} }",
        "circuit a { model gpt2 task ioi role b { " + "mlp 0 .. 11 " * 2_000 + "} }",
        "circuit a { model gpt2 task ioi edge { " + "0.* " * 1_000 + "} at END -> { " + "1.* " * 1_000 + "}.q at END }",
        "circuit a {\n" + "  edge a b\n" * 5_000 + "}",
        "circuit a {\n" + "  ed a b\n" * 5_000 + "}",
        "circuit a {\n  model gpt2\n  task ioi\n" + "  expect accuracy >= 95%\n" * 1_000 + "}",
        "circuit a {\n  model gpt2\n  task ioi\n  expect wibble >= 1\n" + "  edge x -> y.q\n" * 1_000 + "}",
        'use "' * 3_000,
        "\n" * 100_000,
        "# " * 50_000,
        '"' + "\\" * 50_001,
        "circuit a { expect m > " + "x " * 20_000 + "}",
        "circuit " + "a" * 100_000,
        "compare a with b { align " + "a ~ b, " * 5_000 + "a ~ b }",
        "intervention i on a { " + "freeze 1.1 " * 2_000 + "}",
    ],
    ids=lambda text: text[:40].replace("\n", " "),
)
def test_long_and_deep_texts(text: str):
    everything(text)


def test_errors_are_told_up_to_a_number():
    _, errors = parse_tolerantly(Source("text.circuit", "circuit a {\n" + "  edge a b\n" * 1_000 + "}"))
    assert len(errors) == MOST_ERRORS


def calls(text: str) -> int:
    """How many calls of functions reading, resolving and formatting a text takes."""
    profile = cProfile.Profile()
    profile.runcall(everything, text)
    return pstats.Stats(profile).total_calls  # pyright: ignore[reportAttributeAccessIssue]


def roles(number: int) -> str:
    body = "".join(f"  role r{n} at S1+{n} {{ 9.6  # c\n 9.9 }}\n  edge r{n} -> 11.0.q at S2\n" for n in range(number))
    return f"circuit a {{\n  model gpt2\n  task ioi\n{body}}}\n"


@pytest.mark.parametrize(
    "make",
    [
        roles,
        lambda n: "circuit a { role b { " + "9.6 " * (n * 2) + "} }",
        lambda n: "circuit a {\n" + "  exp a b\n" * n + "}",
        lambda n: "circuit a {\n  model gpt2\n  task ioi\n" + "  expect accuracy >= 95%\n" * n + "}",
    ],
    ids=["roles", "heads", "errors", "repeats"],
)
def test_twice_the_text_takes_about_twice_the_work(make):
    """Counted in calls of functions, which does not depend on the machine."""
    small, large = calls(make(50)), calls(make(200))
    assert large < 6 * small
