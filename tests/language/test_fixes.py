"""`lint --fix`: what is corrected, and what is not since it may have been meant otherwise."""

from __future__ import annotations

from contextlib import chdir

import pytest
from language_environment import ENVIRONMENT
from wrong_specs import NAMES, WRONG

from circuitdsl.language.fixes import edit_of, fixed
from circuitdsl.language.resolve import lint_source
from circuitdsl.language.source import Source, Unreadable, read_source

CIRCUIT = """circuit c {{
  model gpt2
  task ioi
  role mover at END {{ 9.6 }}
  role late at END {{ mlp 11 }}
  {}
}}
"""


def corrected(statement: str) -> str:
    """What becomes of a statement in a circuit."""
    text = CIRCUIT.format(statement)
    found = fixed(text, "c.circuit", ENVIRONMENT).text
    assert found.startswith(CIRCUIT.partition("{}")[0].format()), found
    return found.removeprefix(CIRCUIT.partition("{}")[0].format()).removesuffix("\n}\n")


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("expect accuracy >= 0.95", "expect accuracy >= 95%"),
        ("expect accuracy >= 95", "expect accuracy >= 95%"),
        ("expect logit_diff >= 3%", "expect logit_diff >= 3"),
        ("expect logit_diff in 4.5 .. 3.0", "expect logit_diff in 3.0 .. 4.5"),
        ("expect accuracy ≥ 0.95", "expect accuracy >= 95%"),
        ("edge mover → logits", "edge mover -> logits"),
        ("edge L8H6 at END -> mover.q", "edge 8.6 at END -> mover.q"),
        ("edge a8.h6 at END -> mover.Q", "edge 8.6 at END -> mover.q"),
        ("edge (8, 6) at END -> mover.queries", "edge 8.6 at END -> mover.q"),
        ("edge blocks.8.hook_mlp_out at END -> mover.q", "edge mlp 8 at END -> mover.q"),
        ("edge mover -> late.q", "edge mover -> late"),
        ("edge { mover mover } -> late", "edge { mover } -> late"),
        ("edge mlp 3 .. 1 at END -> mover.q", "edge mlp 1 .. 3 at END -> mover.q"),
        ("expect faithfulness >= random heads", "expect faithfulness > random heads"),
        ("expect acuracy >= 95%", "expect acuracy >= 95%"),  # a near name is a guess
        ("edge mover -> output", "edge mover -> output"),  # a name of somebody's own, perhaps
        ("edge mover at EDN -> late", "edge mover at EDN -> late"),
        ("expect attention(mover, END -> S3) >= 10", "expect attention(mover, END -> S3) >= 10%"),
    ],
)
def test_what_is_corrected(written: str, right: str):
    assert corrected(written) == right
    assert corrected(right) == right


def test_a_text_that_is_right_or_cannot_be_corrected_stays_as_it_is():
    for text in ("", "circuit", "\r\n# only this\r", CIRCUIT.format("edge mover -> logits")):
        assert fixed(text, "c.circuit", ENVIRONMENT).text == text


def test_line_ends_and_byte_order_marks_stay():
    text = "\ufeff" + CIRCUIT.format("expect accuracy >= 95").replace("\n", "\r\n")
    assert fixed(text, "c.circuit", ENVIRONMENT).text == text.replace("95", "95%")


@pytest.mark.parametrize("name", NAMES)
def test_no_wrong_specification_has_more_mistakes_of_a_kind_before_those_that_are_corrected(name: str):
    with chdir(WRONG):
        try:
            source = read_source(f"{name}.circuit")
        except Unreadable:
            pytest.skip("it cannot be read")
        found = fixed(source.text, source.path, ENVIRONMENT)
        left = lint_source(Source(source.path, found.text), ENVIRONMENT).diagnostics
        before = lint_source(source, ENVIRONMENT).diagnostics
    assert all(edit_of(each, source) or each not in before for each in found.corrected)
    assert bool(found.corrected) == (found.text != source.text)
    syntax = [sum(each.code.startswith("C1") for each in some) for some in (before, left)]
    assert syntax[1] <= syntax[0]
