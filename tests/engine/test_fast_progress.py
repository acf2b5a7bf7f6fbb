"""Progress inside a stack: layers are told of while it runs, and all of it is told once."""

from __future__ import annotations

import pytest

import circuitdsl as cd
from circuitdsl.engine.fast.progress import StackProgress
from circuitdsl.engine.fast.work import Work

SPEC = """circuit c {
  model mini
  task  ioi
  method { prompts 12  reference 2 }
  role early at S2 { 1.0 1.1 1.4 }
  edge early -> { 3.0 3.1 at END }.v
  expect knockout(early) <= 100%
  expect faithfulness <= 1000%
}
"""


def test_layers_are_told_one_by_one_and_what_was_told_is_not_told_again():
    told: list[float] = []
    progress = StackProgress(told.append, 12.0, 1, 4)
    for layer in (1, 2, 2, 3):  # a second pass begins at layer 2
        progress.passed(layer)
    assert told == pytest.approx([4.0, 4.0, 4.0])
    progress.finish()
    assert sum(told) == pytest.approx(12.0)


def test_what_did_not_fit_is_taken_back():
    told: list[float] = []
    progress = StackProgress(told.append, 12.0, 0, 4)
    progress.passed(1)
    progress.undo()
    assert sum(told) == 0
    progress.finish()
    assert sum(told) == 12.0


def test_counts_move_before_a_stack_ends_and_come_to_the_same_in_the_end(monkeypatch: pytest.MonkeyPatch):
    inside: list[bool] = []
    at_work = 0
    plan_side_by_side = Work._plan

    def counted(self, variants, region, run, *rest):
        def watched(some, passed):
            nonlocal at_work
            at_work += 1
            try:
                return run(some, passed)
            finally:
                at_work -= 1

        return plan_side_by_side(self, variants, region, watched, *rest)

    monkeypatch.setattr(Work, "_plan", counted)
    done: list[int] = []

    def progress(now: int, total: int, what: str) -> None:
        assert now <= total
        done.append(now)
        inside.append(at_work > 0)

    document = cd.load(text=SPEC)
    plan = cd.plan(document, unexplained=False)
    report = cd.check(document, unexplained=False, progress=progress, store=False)
    assert any(inside)
    assert done == sorted(done)
    assert done[-1] == report.cost.prompt_passes
    assert report.cost.passes == pytest.approx(plan.fast.total, rel=0.1)
