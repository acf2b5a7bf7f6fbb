"""``for n in 0 .. 2``: a repeat says what its copies written out say, and is limited in what it stands for."""

from __future__ import annotations

import time

import pytest
from language_environment import ENVIRONMENT

from circuitdsl.language.circuit import Circuit
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.format import format_source
from circuitdsl.language.resolve import resolve_text


def read(body: str) -> Circuit:
    (circuit,) = resolve_text(f"circuit c {{ model gpt2 task ioi\n{body}\n}}", "c.circuit", ENVIRONMENT).circuits
    return circuit


def said(circuit: Circuit) -> list[tuple[object, ...]]:
    return [(claim.text, claim.kind, claim.term, claim.bound, claim.role) for claim in circuit.claims]


WITH = """
role at_1 { 3.0 }  role at_2 { 3.1 }
for n in 1 .. 2 {
  role late_[n] at S[n] { 9.1 9.2 }
  edge at_[n] at S[n] -> late_[n].q
  no edge 4.0 at S[n] -> 5.0.v
  expect attention(late_[n], END -> S[n]) in 1% .. 90%
  for m in 3 .. 4 { expect effect(late_[n] -> 11.2.q at S[m-2]) <= 1% }
}
"""
WITHOUT = """
role at_1 { 3.0 }  role at_2 { 3.1 }
role late_1 at S1 { 9.1 9.2 }
edge at_1 at S1 -> late_1.q
no edge 4.0 at S1 -> 5.0.v
expect attention(late_1, END -> S1) in 1% .. 90%
expect effect(late_1 -> 11.2.q at S1) <= 1%
expect effect(late_1 -> 11.2.q at S2) <= 1%
role late_2 at S2 { 9.1 9.2 }
edge at_2 at S2 -> late_2.q
no edge 4.0 at S2 -> 5.0.v
expect attention(late_2, END -> S2) in 1% .. 90%
expect effect(late_2 -> 11.2.q at S1) <= 1%
expect effect(late_2 -> 11.2.q at S2) <= 1%
"""


def test_a_repeat_is_its_copies():
    ours, copies = read(WITH), read(WITHOUT)
    assert said(ours) == said(copies)
    assert [(role.name, role.nodes) for role in ours.roles] == [(role.name, role.nodes) for role in copies.roles]
    assert len({claim.id for claim in ours.claims}) == len(ours.claims)


def test_the_author_s_texts_have_no_variables():
    circuit = read('for n in 1 .. 2 { role late_[n] at S[n] { 9.1 cite "see [n] and [3]" } }')
    assert [role.cites for role in circuit.roles] == [("see [n] and [3]",)] * 2


def test_formatting_it_changes_nothing_that_it_says():
    text = f"circuit c {{ model gpt2 task ioi {WITH} }}"
    formatted = format_source(text)
    (circuit,) = resolve_text(formatted, "c.circuit", ENVIRONMENT).circuits
    assert said(circuit) == said(read(WITH))
    assert format_source(formatted) == formatted


@pytest.mark.parametrize(
    "body",
    [
        "for n in 0 .. 999999999 { }",
        "for n in 0 .. 999999999 { for m in 0 .. 999999999 { } }",
        "for n in 0 .. 999999999 { for m in 0 .. 999999999 { expect attention(9.1, END -> S[n]) >= 1% } }",
        "for n in 1 .. 999999999 { edge { 1.* 2.* 3.* } at S[n] -> { 9.* 10.* 11.* }.k }",
        f"for n in 0 .. {'9' * 5000} {{ expect attention(9.1, END -> S[n]) >= 1% }}",
        "for n in 1 .. 2 { " * 3000 + "}" * 3000,
    ],
)
def test_little_text_makes_little_work(body: str):
    began = time.process_time()
    with pytest.raises(SpecError):
        read(body)
    assert time.process_time() - began < 20  # of no machine, but of a loop that does not end
