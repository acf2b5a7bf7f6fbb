"""``at A2``: after which position an output is read, said at a claim or by the method."""

from __future__ import annotations

import pytest
from language_environment import ENVIRONMENT

from circuitdsl.language.circuit import Circuit, Method, OnTask, ReadAt, Term, Variable
from circuitdsl.language.environment import TaskInfo, TaskRef
from circuitdsl.language.resolve import resolve_text

TEXT = """circuit a {{
  model gpt2
  task  digits
  method {{ metric {metric}  members none }}
  role carry at A2 {{ 9.6 }}
{body}
}}
"""


def circuit(body: str, metric: str = "logit_diff") -> Circuit:
    return resolve_text(TEXT.format(metric=metric, body=body), "a.circuit", ENVIRONMENT).circuits[0]


@pytest.mark.parametrize(
    ("written", "kept", "at"),
    [
        ("accuracy", "accuracy", "END"),
        ("accuracy(at A2)", "accuracy(at A2)", "A2"),
        ("accuracy( at  A2 )", "accuracy(at A2)", "A2"),
        ("accuracy(at END)", "accuracy", "END"),
        ("logit_diff(at A2, against max)", "logit_diff(against max, at A2)", "A2"),
        ("hit(3, at A1)", "hit(3, at A1)", "A1"),
    ],
)
def test_a_metric_is_kept_in_one_spelling(written: str, kept: str, at: str):
    method = circuit("  expect accuracy >= 5%", written).method
    assert (method.metric, method.at) == (kept, at)
    assert str(method.measured) == kept
    assert method.read_at_end().at == "END" and method.read_at_end().measured.measure == method.measured.measure


def test_a_claim_says_where_it_is_read():
    claims = circuit(
        "  for n in 1 .. 2 { expect accuracy(at A[n]) >= 5% }\n"
        "  expect knockout(carry, at A2) <= -5%\n  expect hit(3, at END) >= 5%\n  expect accuracy >= 5%"
    ).claims
    assert [claim.term.at for claim in claims] == ["A1", "A2", "A2", "END", ""]
    assert [claim.id for claim in claims][:3] == [
        "a:expect accuracy(at A1)",
        "a:expect accuracy(at A2)",
        "a:expect knockout(carry, at A2)",
    ]
    assert str(claims[2].term) == "knockout(carry, at A2)" and claims[2].term.to_dict()["at"] == "A2"


def test_in_the_body_of_a_role_its_heads_may_be_left_out():
    (claim,) = circuit("  role late at A1 { 9.7  expect knockout(at A1) <= -5% }").claims
    assert str(claim.term) == "knockout(late, at A1)"


def test_on_another_task_the_answer_is_read_at_its_end():
    one = circuit("  expect accuracy >= 5%", "logit_diff(against max, at A2)")
    other = TaskInfo("ioi", "", (), (), None, 1)
    assert one.on(OnTask(TaskRef("ioi"), other)).method.metric == "logit_diff(against max)"


def test_a_variable_says_where_it_predicts():
    assert Term("interchange", (("variable", Variable("SA1", "other", "A2")),)).at == "A2"
    assert Term("accuracy", (("at", ReadAt("A1")),)).at == "A1"
    assert Method().at == "END"
