"""parse(print(tree)) == tree; formatting keeps the tree, the comments and what a file means, and happens once."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import files, respelt

from circuitdsl import api
from circuitdsl.language import tree as t
from circuitdsl.language.format import format_source, print_tree
from circuitdsl.language.parse import parse
from circuitdsl.language.resolve import load_files, resolve_text
from circuitdsl.language.source import Source

GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.circuit"))
SPECS = sorted((Path(__file__).parents[2] / "specs").rglob("*.circuit"))


def tree_of(text: str) -> t.File:
    return parse(Source("text.circuit", text))


def comments_of(text: str) -> list[str]:
    return [comment.text for comment in Source("text.circuit", text).comments()]


@settings(max_examples=40)
@given(files)
def test_a_printed_tree_parses_to_itself(tree: t.File):
    assert tree_of(print_tree(tree)) == tree


@settings(max_examples=40)
@given(files)
def test_a_printed_tree_is_formatted(tree: t.File):
    printed = print_tree(tree)
    assert format_source(printed) == printed


@settings(max_examples=40)
@given(st.data())
def test_formatting_keeps_words_and_comments_and_happens_once(data: st.DataObject):
    tree = data.draw(files)
    text = data.draw(respelt(print_tree(tree)))
    formatted = format_source(text)
    assert tree_of(formatted) == tree
    assert comments_of(formatted) == comments_of(text)
    assert format_source(formatted) == formatted


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_texts_written_in_haste_are_laid_out_as_by_hand(path: Path):
    text = path.read_text(encoding="utf-8")
    formatted = path.with_suffix(".formatted").read_text(encoding="utf-8")
    assert format_source(text) == formatted
    assert format_source(formatted) == formatted
    assert comments_of(formatted) == comments_of(text)


def test_golden_texts_come_in_pairs():
    formatted = [path.stem for path in sorted(GOLDEN[0].parent.glob("*.formatted"))]
    assert formatted == [path.stem for path in GOLDEN]


def test_line_ends_and_byte_order_marks_do_not_matter():
    text = 'circuit a {\n  about "x"  # y\n}\n'
    assert format_source("\ufeff" + text.replace("\n", "\r\n")) == text
    assert format_source(text.replace("\n", "\r")) == text


def test_an_empty_file_stays_empty():
    assert format_source("") == ""
    assert format_source("\n \n") == ""
    assert format_source("  # only this") == "# only this\n"


# --- the specifications that ship ------------------------------------------------------------------


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_specifications_are_formatted(path: Path):
    text = path.read_text(encoding="utf-8")
    assert format_source(text, str(path)) == text


def without_lines(value: Any) -> Any:
    """A resolved value without what depends on the layout of its file: lines. Identifiers do not."""
    if isinstance(value, tuple):
        return tuple(without_lines(each) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    dropped = {"line": 0} if hasattr(value, "line") else {}
    kept = {field.name: without_lines(getattr(value, field.name)) for field in fields(value)}
    return replace(value, **{**kept, **dropped})


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.name}")
@settings(max_examples=1)
@given(st.data())
def test_formatting_changes_nothing_that_is_meant(path: Path, data: st.DataObject):
    text = data.draw(respelt(path.read_text(encoding="utf-8")))
    environment = api.environment()
    meant = without_lines(load_files([path], environment))
    assert without_lines(resolve_text(text, str(path), environment)) == meant
    assert without_lines(resolve_text(format_source(text), str(path), environment)) == meant
