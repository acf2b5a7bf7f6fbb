"""The parser that is kept between calls reads what the one that Lark makes of the grammar reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from lark import Lark
from lark.exceptions import UnexpectedInput
from lark.lexer import PatternRE, TerminalDef

from circuitdsl.language.grammar import grammar_text
from circuitdsl.language.kept_parser import kept_parser
from circuitdsl.language.parse import parse_interactive
from circuitdsl.library import specs_folder

OPTIONS = {"parser": "lalr", "propagate_positions": True}
LINE = "circuit copy { model mini task ioi }"


def as_it_is(terminal: TerminalDef) -> None:
    """Edits nothing."""


def no_copy(terminal: TerminalDef) -> None:
    if terminal.name == "NAME":
        terminal.pattern = PatternRE(r"(?!copy\b)" + terminal.pattern.value, terminal.pattern.flags)


def not_made(terminal: TerminalDef) -> None:
    pytest.fail("it was kept")


def parser(edit: Callable[[TerminalDef], None] = as_it_is, edited: str = "", text: str = grammar_text()) -> Lark:
    return kept_parser(text, OPTIONS, edited, edit)


def places(tree) -> list[tuple[str, int, int]]:
    return [(each.data, each.meta.start_pos, each.meta.end_pos) for each in tree.iter_subtrees() if not each.meta.empty]


def signed(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode() + b"\n" + data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path))
    return tmp_path / "parsers"


def test_it_gives_the_same_trees_and_accepts_the_same(folder):
    first = parser()
    kept = parser(not_made)
    texts = [path.read_text(encoding="utf-8") for path in sorted((specs_folder() / "mini").glob("*.circuit"))]
    assert texts
    for text in texts:
        tree, again = first.parse(text), kept.parse(text)
        assert tree == again
        assert places(tree) == places(again)
    begun = [parse_interactive(each, "circuit a { model mini") for each in (first, kept)]
    for each in begun:
        each.exhaust_lexer()
    assert begun[0].accepts() == begun[1].accepts() != set()


def test_another_grammar_and_other_words_have_one_of_their_own(folder):
    parser()
    parser(text=grammar_text() + "\n")
    parser(no_copy, "copy")
    kept_parser(grammar_text(), {**OPTIONS, "propagate_positions": False}, "", as_it_is)
    assert len([*folder.iterdir()]) == 4


def test_a_word_that_is_reserved_stays_so(folder):
    for edit in (no_copy, not_made):
        with pytest.raises(UnexpectedInput):
            parser(edit, "copy").parse(LINE)


WHOLE = b'{"data": {"parser": {"parser": {"tokens": {}, "states": {"0": []}}}}, "memo": {}}'


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\n{}", signed(b"[]"), signed(b"{"), signed(b"{}"), signed(WHOLE)]
)
def test_a_damaged_one_is_made_again(folder, content):
    """One that is whole and holds something else too."""
    parser()
    (path,) = folder.iterdir()
    path.write_bytes(content)
    parser()
    assert parser(not_made).parse(LINE)


@pytest.mark.parametrize("name", ["memo_serialize", "_load_from_dict"])
def test_with_a_lark_that_does_it_otherwise_it_is_made(folder, monkeypatch, name):
    parser()
    monkeypatch.setattr(Lark, name, None)
    for edited in ("", "otherwise"):  # one that is kept, and one that is not
        assert parser(edited=edited).parse(LINE)


def test_where_nothing_can_be_written_it_is_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "file"))
    assert parser().parse(LINE)
