"""The parser that is kept between calls reads what the one that Lark makes of the grammar reads."""

from __future__ import annotations

import hashlib

import pytest
from lark import Lark

from circuitdsl.language.grammar import grammar_text
from circuitdsl.language.kept_parser import kept_parser
from circuitdsl.language.parse import parse_interactive
from circuitdsl.library import specs_folder


def made() -> Lark:
    return Lark(grammar_text(), parser="lalr", propagate_positions=True)


def not_made() -> Lark:
    pytest.fail("it was kept")


def places(tree) -> list[tuple[str, int, int]]:
    return [(each.data, each.meta.start_pos, each.meta.end_pos) for each in tree.iter_subtrees() if not each.meta.empty]


def signed(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode() + b"\n" + data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path))
    return tmp_path / "parsers"


def test_it_gives_the_same_trees_and_accepts_the_same(folder):
    first = kept_parser(grammar_text(), [], made)
    kept = kept_parser(grammar_text(), [], not_made)
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
    kept_parser(grammar_text(), [], made)
    kept_parser(grammar_text() + "\n", [], made)
    kept_parser(grammar_text(), ["copy"], made)
    assert len([*folder.iterdir()]) == 3


WHOLE = b'{"data": {"parser": {"parser": {"tokens": {}, "states": {"0": []}}}}, "memo": {}}'


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\n{}", signed(b"[]"), signed(b"{"), signed(b"{}"), signed(WHOLE)]
)
def test_a_damaged_one_is_made_again(folder, content):
    """One that is whole and holds something else too."""
    kept_parser(grammar_text(), [], made)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    kept_parser(grammar_text(), [], made)
    assert kept_parser(grammar_text(), [], not_made).parse("circuit a { model mini task ioi }")


@pytest.mark.parametrize("name", ["memo_serialize", "_load_from_dict"])
def test_with_a_lark_that_does_it_otherwise_it_is_made(folder, monkeypatch, name):
    kept_parser(grammar_text(), [], made)
    monkeypatch.setattr(Lark, name, None)
    for words in ([], ["copy"]):  # one that is kept, and one that is not
        assert kept_parser(grammar_text(), words, made).parse("circuit a { model mini task ioi }")


def test_where_nothing_can_be_written_it_is_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "file"))
    assert kept_parser(grammar_text(), [], made).parse("circuit a { model mini task ioi }")
