"""A patch that changes nothing on some prompts may change something on others: more prompts ask all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from ioi_data import IOI

from circuitdsl.components import ALL, Head, Node
from circuitdsl.engine.base import Keep, keep_nothing
from circuitdsl.engine.guard import is_guarded, unchanged
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.engine.session import Session
from circuitdsl.measures.experiments import Ablated, Data, Experiment, Isolated, Metric, Zero
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import Model
from circuitdsl.tasks import Prompt

ASKED = Experiment(IOI, Ablated(frozenset({Node(Head(0, 0), ALL)}), Zero()), Metric("logit_diff"))
ALONE = Experiment(IOI, Isolated(frozenset(), Zero(), mlps=False), Metric("logit_diff"))
"""A world that is guarded in any case."""


@dataclass
class Idle:
    """An engine whose every reading is the prompt's number; a patch changes something on the prompts ``at`` alone."""

    model: Model
    at: frozenset[int]
    asked: list[tuple[int, int]] = field(default_factory=list)
    name = "idle"
    note = ""
    settings = ("idle",)
    dtype = "float32"
    device = "cpu"

    def run(
        self,
        data: Data,
        stream: Sequence[Prompt],
        start: int,
        stop: int,
        experiments: Iterable[Experiment],
        references: References = NO_REFERENCES,
        keep: Keep = keep_nothing,
    ) -> dict[Experiment, Array | Failure]:
        self.asked.append((start, stop))
        changes = any(start <= place < stop for place in self.at)
        numbers = np.arange(start, stop, dtype=float)
        return {e: numbers if changes or not is_guarded(e.world) else unchanged(e.world) for e in experiments}

    def in_dtype(self, dtype: str) -> None:
        return None


def session(model: Model, *at: int) -> Session:
    return Session(Idle(model, frozenset(at)))


def known(of: Session, count: int, asked: Experiment = ASKED) -> Array | Failure:
    return of.run([asked], count)[asked]


@pytest.mark.parametrize("asked", [ASKED, ALONE], ids=["a guard that can be left out", "one that cannot"])
@pytest.mark.parametrize("at", [2, 14], ids=["before", "after"])
def test_more_prompts_have_all_readings_wherever_the_patch_changes_something(mini: Model, at: int, asked: Experiment):
    ours = session(mini, at)
    first = known(ours, 10, asked)
    assert isinstance(first, Failure) == (at >= 10)
    found = known(ours, 20, asked)
    assert not isinstance(found, Failure)
    assert found.tolist() == list(range(20))
    assert not isinstance(known(ours, 10, asked), Failure)


def test_what_changed_something_before_is_not_run_on_those_prompts_again(mini: Model):
    ours = session(mini, 2)
    known(ours, 10)
    known(ours, 20)
    engine = ours.engine
    assert isinstance(engine, Idle)
    assert engine.asked == [(0, 10), (10, 20), (10, 20)]


class Ended(Idle):
    """It is interrupted, once, while it runs something without the guard, of which it has readings by then."""

    ended = False

    def run(self, data, stream, start, stop, experiments, references=NO_REFERENCES, keep=keep_nothing):
        if not self.ended and not any(is_guarded(e.world) for e in experiments):
            self.ended = True
            keep({e: np.arange(start, stop, dtype=float) for e in experiments})
            raise KeyboardInterrupt
        return super().run(data, stream, start, stop, experiments, references, keep)


def test_readings_of_later_prompts_are_not_taken_for_those_of_the_first_after_an_interrupt(mini: Model):
    ours = Session(Ended(mini, frozenset({2})))
    known(ours, 10)
    with pytest.raises(KeyboardInterrupt):
        known(ours, 20)
    found = known(ours, 20)
    assert not isinstance(found, Failure)
    assert found.tolist() == list(range(20))


def test_what_changes_nothing_on_all_prompts_fails_and_is_not_run_again(mini: Model):
    ours = session(mini)
    for count in (10, 20, 20, 10):
        answer = known(ours, count)
        assert isinstance(answer, Failure) and answer.kind == "unchanged"
    engine = ours.engine
    assert isinstance(engine, Idle)
    assert engine.asked == [(0, 10), (10, 20)]
