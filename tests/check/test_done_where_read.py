"""A share of the metric means something where the model gives the right answer at the position that the claim names."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict

DIGITS = "0123456789"
SPEC = """circuit sums {
  model addition
  task  file("my.jsonl")
  method { metric accuracy  ablate counterfactual  members none  prompts all  vary metric: accuracy(at A2) }
  expect knockout({ 0.0 0.1 0.2 } at A2, at A2) <= -5%
  expect knockout({ 0.0 0.1 0.2 } at END) <= -5%
}
"""


def following(digit: str) -> str:
    return DIGITS[(int(digit) + 1) % 10]


def written(folder: Path, end: float, a2: float) -> Path:
    """A specification of sums whose answers at END and after A2 are right on such shares of the lines."""
    draw = random.Random(1)
    lines: list[str] = []
    for number in range(40):
        first, second = draw.randrange(1000), draw.randrange(1000)
        text = f"{first:03}+{second:03}=+{first + second:04}"
        at_end, at_a2 = (
            right if number < 40 * share else following(right) for right, share in ((text[-1], end), (text[11], a2))
        )
        line = {
            "prompt": text[:-1],
            "answer": at_end,
            "wrong": [each for each in DIGITS if each != at_end],
            "counterfactuals": {"other": "111+222=+033"},
            "positions": {"A2": [10, 11]},
            "at": {"A2": {"answer": at_a2, "wrong": [each for each in DIGITS if each != at_a2]}},
        }
        lines.append(json.dumps(line))
    (folder / "my.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "sums.circuit").write_text(SPEC, encoding="utf-8")
    return folder / "sums.circuit"


@pytest.mark.parametrize(("end", "a2"), [(0, 1), (1, 0.1)])
def test_only_claims_read_where_the_model_does_not_do_the_task_are_undecided(tmp_path: Path, end: float, a2: float):
    plan = cd.plan(cd.load(written(tmp_path, end, a2)), unexplained=False)
    report = Workbench().check(plan)
    (found,) = report.circuits
    assert found.performance is not None and found.performance.accuracy.value == pytest.approx(end)
    at_a2, at_end = found.claims
    done, undone = (at_a2, at_end) if a2 == 1 else (at_end, at_a2)
    after = "" if undone is at_end else "after A2 "
    assert done.verdict is Verdict.HOLDS and "does not do" not in done.note
    assert undone.verdict is Verdict.UNDECIDED and undone.note.startswith(f"{after}the model does not do this task")
    # The variant is read after A2, whatever the method's metric is read after.
    (variant,) = at_end.variants
    assert ("after A2 the model does not do" in variant.note) == (a2 != 1)
    assert report.cost.experiments == plan.distinct
    assert [" ".join(line.job.key) for line in plan.lines if line.job.purpose == "performance"] == [
        "sums performance",
        "sums performance A2",
    ]
