"""A check that is interrupted tells what it knows, loses seconds, and leaves the model as it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from transformer_lens.model_bridge import TransformerBridge

import circuitdsl as cd
from circuitdsl.check.borrowed import borrowed
from circuitdsl.check.interrupted import INTERRUPTED, Interrupted
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Document
from circuitdsl.models import open_model
from circuitdsl.outcome import Report

SPEC = """
circuit c {
  model mini
  task ioi
  method { prompts 10 to 20 reference 2 members knockout }
  role caller at END { 1.0 1.1 }
  role fetcher at END { 2.3 2.5 }
  edge caller -> logits : raises
  expect logit_diff >= 5
  expect logit_diff >= 9.3
  expect knockout(fetcher) <= -20%
}
"""
MEMORY = 400_000  # bytes: several stacks


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    path = tmp_path_factory.mktemp("spec") / "c.circuit"
    path.write_text(SPEC)
    return cd.load(path)


@pytest.fixture(scope="module")
def bridge() -> TransformerBridge:
    return open_model("mini").bridge


class Watch:
    """Progress that interrupts at some number of ticks, once, and counts them."""

    def __init__(self, stop: int = 0):
        self.ticks, self.stop = 0, stop

    def __call__(self, done: int, total: int, what: str) -> None:
        self.ticks += 1
        if self.ticks == self.stop:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Whole:
    """A check that nothing disturbed, and how often it told its progress."""

    report: Report
    ticks: int


@pytest.fixture(scope="module", params=["fast", "plain"])
def whole(request: pytest.FixtureRequest, document: Document, bridge: TransformerBridge) -> Whole:
    watch = Watch()
    found = cd.check(document, bridge, unexplained=False, engine=request.param, progress=watch, memory=MEMORY)
    return Whole(found, watch.ticks)


def figures(report: Report) -> dict[str, object]:
    return {outcome.claim.id: outcome.estimate for outcome in report.outcomes}


@pytest.mark.parametrize("part", [0.15, 0.9])
def test_what_is_known_is_told_and_the_next_check_goes_on_from_there_to_the_bit(
    document: Document,
    bridge: TransformerBridge,
    whole: Whole,
    part: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("circuitdsl.engine.session._PAUSE", 0.0)
    store, engine = cd.Store.in_folder(tmp_path), whole.report.engine

    def check(watch: Watch) -> Report:
        return cd.check(document, bridge, unexplained=False, engine=engine, store=store, progress=watch, memory=MEMORY)

    with pytest.raises(Interrupted) as stopped:
        check(Watch(int(part * whole.ticks)))
    expected, known = figures(whole.report), stopped.value.report
    assert isinstance(known, Report)
    judged = [outcome for outcome in known.outcomes if outcome.verdict is not Verdict.ERROR]
    assert judged
    for outcome in known.outcomes:
        if outcome.verdict is Verdict.ERROR:
            assert outcome.note == INTERRUPTED
        elif outcome.prompts == 20:
            assert outcome.estimate == expected[outcome.claim.id]
    assert known.circuits[0].unexplained_note == "not looked for: the check was interrupted"
    assert INTERRUPTED in cd.show(known) or part == 0.9
    again = check(Watch())
    assert figures(again) == expected
    assert again.cost.kept > 0
    assert again.cost.experiments < whole.report.cost.experiments


def test_an_interrupted_workbench_works_on(document: Document, bridge: TransformerBridge, whole: Whole):
    bench = cd.Workbench(bridge, engine=whole.report.engine, memory=MEMORY)
    plan = cd.plan(document, unexplained=False)
    with pytest.raises(Interrupted):
        bench.check(plan, Watch(int(0.8 * whole.ticks)))
    assert figures(bench.check(plan)) == figures(whole.report)


def test_an_interrupt_before_anything_is_known_is_one_as_usual(document: Document, bridge: TransformerBridge):
    with pytest.raises(KeyboardInterrupt) as stopped:
        cd.check(document, bridge, unexplained=False, progress=Watch(1))
    assert not isinstance(stopped.value, Interrupted)


# --- the model that was given -------------------------------------------------------------------------


def test_a_model_in_training_mode_is_in_it_again_part_by_part(
    document: Document, bridge: TransformerBridge, whole: Whole
):
    bridge.train()
    still = next(part for part in bridge.modules() if not list(part.children()))
    still.eval()
    before = [part.training for part in bridge.modules()]
    engine = whole.report.engine
    found = cd.check(document, bridge, unexplained=False, engine=engine, memory=MEMORY)
    assert figures(found) == figures(whole.report)
    assert [part.training for part in bridge.modules()] == before
    with pytest.raises(KeyboardInterrupt):
        cd.check(document, bridge, unexplained=False, engine=engine, progress=Watch(1))
    assert [part.training for part in bridge.modules()] == before
    assert not any(point.fwd_hooks for point in bridge.hook_dict.values())
    bridge.eval()


def test_threads_take_turns_on_one_model(document: Document, bridge: TransformerBridge):
    def check() -> None:
        found.append(figures(cd.check(document, bridge, prompts=4, engine="plain", unexplained=False)))

    found: list[dict[str, object]] = []
    check()
    threads = [Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == found[:1] * 4


def test_what_is_no_model_is_left_alone():
    with borrowed("mini"), borrowed(None), borrowed(np.zeros(3)):
        pass
