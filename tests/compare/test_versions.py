"""Two versions of one circuit: what changed in meaning, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.compare.versions import Difference, changes
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text

SPECS = Path(__file__).parents[2] / "specs" / "planted"
TEXT = """circuit ioi {
  model planted-ioi
  task ioi
  role inhibition at END { 2.1 2.3 }
  role mover at END { 3.0 3.2 }
  edge inhibition -> mover.q : raises
  expect attention(mover, END -> IO) >= 90%
  expect accuracy >= 90%
}
"""


def circuit(text: str) -> Circuit:
    return resolve_text(text, "x.circuit", cd.environment()).circuits[0]


def changed(old: str, new: str) -> tuple[Difference, ...]:
    assert TEXT.count(old) == 1
    return changes(circuit(TEXT), circuit(TEXT.replace(old, new)))


def test_order_comments_and_spelling_do_not_count():
    lines = TEXT.splitlines()
    lines[3], lines[4] = lines[4] + "  # the movers", "\n" + lines[3].replace("2.1 2.3", "2.3    2.1")
    lines[6], lines[7] = lines[7].replace("90%", "90.0%"), lines[6]
    assert changes(circuit(TEXT), circuit("\n".join(lines))) == ()


@pytest.mark.parametrize("spec", ["ioi", "colored_objects", "alone", "induction"])
def test_nothing_became_of_a_spec_that_is_the_same(spec: str):
    for each in cd.load(SPECS / f"{spec}.circuit").circuits:
        assert changes(each, each) == ()


def test_another_head_is_one_change_whatever_speaks_of_its_role():
    assert changed("{ 3.0 3.2 }", "{ 3.0 3.3 }") == (Difference("role", "mover", "3.2 at END", "3.3 at END"),)


def test_another_bound_is_a_change_of_a_claim():
    (change,) = changed("IO) >= 90%", "IO) >= 95%")
    assert (change.kind, change.what) == ("claim", "attention(mover, END -> IO)")
    assert change.before.endswith(">= 90%")
    assert change.after.endswith(">= 95%")


def test_what_is_new_and_what_is_gone():
    (new,) = changed("  expect accuracy >= 90%\n", "  expect accuracy >= 90%\n  no edge inhibition -> mover.v\n")
    assert (new.kind, new.what, new.before) == ("claim", "effect(inhibition -> mover.v)", "")


def test_method_and_task():
    assert changed("  task ioi\n", "  task ioi\n  method {\n    ablate zero\n  }\n") == (
        Difference("method", "ablate", "mean by template", "zero"),
    )
    (change,) = changed("  expect accuracy >= 90%\n", "")
    assert change.to_dict() == {
        "kind": "claim", "what": "accuracy", "before": "expect accuracy >= 90%", "after": "",
    }  # fmt: skip
