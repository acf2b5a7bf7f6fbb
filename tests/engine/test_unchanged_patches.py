"""A patch that changes nothing on some prompts may change something on others: more prompts ask all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from ioi_data import IOI

from circuitdsl.components import ALL, Head, Node
from circuitdsl.engine.base import Keep, keep_nothing
from circuitdsl.engine.guard import unchanged
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.engine.session import Session
from circuitdsl.measures.experiments import Ablated, Data, Experiment, Metric, Zero
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import Model
from circuitdsl.tasks import Prompt

ASKED = Experiment(IOI, Ablated(frozenset({Node(Head(0, 0), ALL)}), Zero()), Metric("logit_diff"))


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
        return {e: numbers if changes else unchanged(e.world) for e in experiments}

    def in_dtype(self, dtype: str) -> None:
        return None


def session(model: Model, *at: int) -> Session:
    return Session(Idle(model, frozenset(at)))


def known(of: Session, count: int) -> Array | Failure:
    return of.run([ASKED], count)[ASKED]


@pytest.mark.parametrize("at", [2, 14], ids=["before", "after"])
def test_more_prompts_have_all_readings_wherever_the_patch_changes_something(mini: Model, at: int):
    ours = session(mini, at)
    first = known(ours, 10)
    assert isinstance(first, Failure) == (at >= 10)
    found = known(ours, 20)
    assert not isinstance(found, Failure)
    assert found.tolist() == list(range(20))
    assert not isinstance(known(ours, 10), Failure)


def test_what_changes_nothing_on_all_prompts_fails_and_is_not_run_again(mini: Model):
    ours = session(mini)
    for count in (10, 20, 20, 10):
        answer = known(ours, count)
        assert isinstance(answer, Failure) and answer.kind == "unchanged"
    engine = ours.engine
    assert isinstance(engine, Idle)
    assert engine.asked == [(0, 10), (0, 20)]
