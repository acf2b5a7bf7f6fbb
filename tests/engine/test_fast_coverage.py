"""Kinds of components and actions that the fast engine has never heard of: it hands them to the plain engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pytest
from ioi_data import IOI

from arrays import array
from circuitdsl.actions import Action, Reading, Run, Scale, Write, Written
from circuitdsl.components import ALL, Component, Geometry, Head, Node, Numbers, Position
from circuitdsl.engine.fast.cost import FastCost
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.plain.cost import PlainCost
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Experiment,
    FromCounterfactual,
    Intervened,
    Mean,
    Metric,
    Patched,
    Resample,
    Source,
    World,
    Zero,
)
from circuitdsl.tasks import Layout
from samples import geometry

END, S2 = Position("END"), Position("S2")
LOGIT_DIFF = Metric("logit_diff")


@dataclass(frozen=True, order=True)
class AttentionOutput(Component):
    """What all heads of a layer write together, with the bias."""

    layer: int

    rule = "attention_output"
    example = "attn 3"

    def __str__(self) -> str:
        return f"attn {self.layer}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return f"attn {numbers[0]}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        return (cls(numbers[0] or 0),)

    @property
    def writes(self) -> int:
        return 2 * self.layer

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.hook_attn_out"

    def receives(self, which: str) -> str:
        return f"blocks.{self.layer}.hook_attn_in"


@dataclass(frozen=True)
class Negate(Action):
    """Outputs multiplied by -1."""

    word = "negate"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        return None if nodes is None else cls(nodes, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> None:
        return None

    def writes(self, run: Run) -> list[Write]:
        return [Write(name, mask, lambda output: -output) for name, mask in run.outputs(self.nodes).items()]


@dataclass(frozen=True)
class ScaleTwice(Scale):
    """Derived from an action that the fast engine covers, and another action all the same."""

    word = "scale_twice"

    def writes(self, run: Run) -> list[Write]:
        scaled = super().writes(run)
        return [Write(*write) for write in (*scaled, *scaled)]


def run(engine, prompts, *worlds: World, means: MeanStore | None = None):
    experiments = [Experiment(IOI, world, LOGIT_DIFF) for world in worlds]
    references = replace(references_over(prompts, experiments), means=means or MeanStore())
    answers = engine.run(IOI, prompts, 0, len(prompts), experiments, references)
    return [array(answers[experiment]) for experiment in experiments]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-4)


def heads(layer: int, position: Position) -> frozenset[Node]:
    return frozenset(Node(Head(layer, index), position) for index in range(8))


def whole(layer: int, position: Position) -> frozenset[Node]:
    return frozenset({Node(AttentionOutput(layer), position)})


SOURCES: list[Source] = [
    FromCounterfactual("abc"),
    Mean("abc", 2, by_template=True),
    Mean("abc", 5, by_template=False),
    Resample("abc", 2, seed=1),
]


def pairs() -> list[tuple[World, World]]:
    """Worlds of the unknown kinds, each with one of the known kinds that it must equal."""
    scaled = Intervened((Scale((Node(Head(2, 3), END),), -1.0, text="known"),), (None,))
    negated = Intervened((Negate((Node(Head(2, 3), END),), text="unknown"),), (None,))
    into = frozenset({(Node(Head(3, 2), END), "q")})
    found: list[tuple[World, World]] = [(Ablated(whole(2, END), s), Ablated(heads(2, END), s)) for s in SOURCES]
    for receivers in (frozenset[tuple[Node, str]](), into):
        for strict in (False, True):
            ours, theirs = (Patched(each(1, END), receivers, "abc", strict) for each in (whole, heads))
            found.append((ours, theirs))
    known, unknown = (Patched(heads(1, END), into, "abc", False, under) for under in (scaled, negated))
    return [*found, (negated, scaled), (unknown, known)]


@pytest.mark.parametrize(("unknown", "known"), pairs())
def test_unknown_kinds_come_to_what_known_ones_do(mini, ioi_prompts, unknown, known):
    fast, plain = FastEngine(mini), PlainEngine(mini)
    assert not fast.covers(Experiment(IOI, unknown, LOGIT_DIFF))
    assert fast.covers(Experiment(IOI, known, LOGIT_DIFF))
    clean, ours, theirs = run(fast, ioi_prompts, Clean(), unknown, known)
    close(ours, theirs)
    np.testing.assert_array_equal(ours, run(plain, ioi_prompts, unknown)[0])
    assert np.abs(ours - clean).mean() > 0.01


def test_an_unknown_action_on_an_unknown_kind(mini, ioi_prompts):
    negated = Intervened((Negate((Node(AttentionOutput(1), S2), Node(Head(3, 2), END)), text="negate"),), (None,))
    zeroed = Ablated(whole(1, S2), Zero())
    under = Patched(whole(2, END), frozenset(), "abc", False, negated)
    ours, theirs = (
        run(engine, ioi_prompts, negated, zeroed, under) for engine in (FastEngine(mini), PlainEngine(mini))
    )
    clean = run(FastEngine(mini), ioi_prompts, Clean())[0]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.abs(one - clean).mean() > 0.01


def test_means_are_made_by_each_engine_for_itself(mini, ioi_prompts):
    """What the plain engine runs of a call in between changes no figure of the fast one to the last bit."""
    means = MeanStore()
    source = Mean("abc", 2, by_template=True)
    engine = FastEngine(mini)
    known = run(engine, ioi_prompts, Ablated(heads(2, END), source), means=means)[0]
    assert len(means.known) == 1
    close(run(engine, ioi_prompts, Ablated(whole(2, END), source), means=means)[0], known)
    assert len(means.known) == 2
    np.testing.assert_array_equal(run(engine, ioi_prompts, Ablated(heads(2, END), source), means=means)[0], known)
    assert len(means.known) == 2


def test_what_is_derived_from_a_known_action_is_not_taken_for_it(mini, ioi_prompts):
    node = (Node(Head(3, 2), END),)
    half, quarter = (Intervened((Scale(node, factor, text="known"),), (None,)) for factor in (0.5, 0.25))
    twice = Intervened((ScaleTwice(node, 0.5, text="twice"),), (None,))
    engine = FastEngine(mini)
    once, by_quarter, halved_twice = run(engine, ioi_prompts, half, quarter, twice)
    close(halved_twice, by_quarter)
    assert np.abs(once - by_quarter).mean() > 0.01


def test_a_hook_point_that_the_model_lacks_is_a_failure(mini, ioi_prompts):
    experiment = Experiment(IOI, Ablated(whole(9, END), FromCounterfactual("abc")), LOGIT_DIFF)
    for engine in (FastEngine(mini), PlainEngine(mini)):
        assert "blocks.9.hook_attn_out" in engine.run(IOI, ioi_prompts, 0, 6, [experiment])[experiment].message  # type: ignore[union-attr]


def test_unknown_kinds_cost_what_they_do_the_plain_engine():
    layouts = [Layout(12, {"END": (11,), "S2": (8,)})]
    known = Ablated(heads(2, END), Zero())
    unknown = [Ablated(whole(2, END), SOURCES[1]), Patched(whole(1, ALL), frozenset(), "abc", strict=False)]
    cost = FastCost()
    shape = geometry(layers=4)
    own = cost.own([known, *unknown], layouts, shape)
    assert own == cost.own([known], layouts, shape) | PlainCost().own(unknown, layouts, shape)
    assert own[known] < 1 == own[unknown[0]]
    assert cost.shared([known, *unknown]) == cost.shared([known]) | PlainCost().shared(unknown)
