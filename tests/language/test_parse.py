"""What is kept of a text with syntax errors, and where the parts of a tree stand."""

from __future__ import annotations

import pytest

from circuitdsl.language import tree as t
from circuitdsl.language.format import print_tree
from circuitdsl.language.grammar import grammar_text
from circuitdsl.language.parse import parse, parse_tolerantly, tokens
from circuitdsl.language.source import Source, Span


def kept(text: str) -> tuple[str, list[str]]:
    """What is left of a text, and the codes of its errors."""
    file, errors = parse_tolerantly(Source("text.circuit", text))
    return print_tree(file), [error.code for error in errors]


CIRCUIT = "circuit a {{\n  model gpt2\n{}\n  edge x -> logits\n}}\n"
REST = "circuit a {\n  model gpt2\n\n  edge x -> logits\n}\n".replace("\n\n", "\n")


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("  role x at { 9.6 }", ["C101"]),
        ('  about "x', ["C103"]),
        ("  expect x >= ; 3", ["C104"]),
        ("  expect accuracy\n  expect logit_diff >=", ["C106", "C106"]),
        ("  nonsense { with { braces } } and # comments }", ["C101"]),
    ],
)
def test_a_wrong_statement_takes_nothing_else_with_it(line: str, codes: list[str]):
    assert kept(CIRCUIT.format(line)) == (REST, codes)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("  rolle x at END { 9.6 }", "  role x at END { 9.6 }"),
        ("  modell gpt2-medium", "  model gpt2-medium"),
        ("  expct accuracy >= 95%", "  expect accuracy >= 95%"),
        ("  role x {\n    9.6 9.\n  }", "  role x { 9.6 }"),
    ],
)
def test_what_can_be_made_out_is_kept(line: str, left: str):
    text, codes = kept("circuit a {\n" + line + "\n}\n")
    assert (text, codes) == ("circuit a {\n" + left + "\n}\n", ["C101"])


def test_a_block_that_is_not_closed_ends_where_the_next_statement_begins():
    head = "circuit a {\n  role x at END { 9.6  9.9"
    text, codes = kept(f"{head}\n  edge x -> logits\n  method {{\n    seed 1\n  expect x > 1\n}}\n")
    assert text == f"{head} }}\n  edge x -> logits\n  method {{\n    seed 1\n  }}\n  expect x > 1\n}}\n"
    assert codes == ["C102", "C102"]


def test_nothing_is_read_twice_after_a_guess_that_was_not_taken():
    text, codes = kept("circuit a {\n  method {\n    seed 1\n    bos no\n    attend y\n    floor 1%\n  }\n}\n")
    assert text == "circuit a {\n  method {\n    seed  1\n    bos   no\n    floor 1%\n  }\n}\n"
    assert codes == ["C101"]


def test_a_circuit_after_a_broken_one_is_read():
    text, codes = kept("circuit a {\n  role x at END { 9.6\n\ncircuit b {\n  seed\n  model gpt2\n}\n")
    assert text.endswith("circuit b {\n  model gpt2\n}\n")
    assert codes[-1] == "C101"


def test_every_part_of_a_tree_says_where_it_stands():
    text = 'circuit a {\n  cite "é"  # c\n  role m at S1+1 { 9.6 }\n}\n'
    file = parse(Source("f.circuit", text))
    (circuit,) = file.blocks
    assert isinstance(circuit, t.Circuit)
    cite, role = circuit.body
    assert isinstance(role, t.Role)
    assert cite.span == Span("f.circuit", 2, 3, 2, 11)
    assert role.at is not None
    assert (str(role.at.span), role.at.span.end_column) == ("f.circuit:3:13", 17)
    assert role.body[0].span == Span("f.circuit", 3, 20, 3, 23)
    assert circuit.span == Span("f.circuit", 1, 1, 4, 2)


def test_the_grammar_is_the_one_that_is_published():
    assert grammar_text().startswith("// The circuitdsl language, whole.")
    assert [str(token) for token in tokens("circuit a { } # b")] == ["circuit", "a", "{", "}"]
