"""An answer is read after the position that a prompt says: as if the prompt ended there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_models import DATA, architecture, prompts

from circuitdsl.components import Head, Mlp, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Divergence,
    EdgesKept,
    Experiment,
    FromCounterfactual,
    Hit,
    Isolated,
    Metric,
    NodeEdge,
    Patched,
    Predicted,
    Reading,
    Zero,
)
from circuitdsl.tasks.prompts import Answers, Prompt, read_at

A, B = Position("A"), Position("B")
NODES = frozenset({Node(Head(0, 1), B), Node(Head(1, 2), A), Node(Mlp(0), A)})
SENDERS = frozenset({Node(Head(0, 1), A), Node(Mlp(0), A)})
WORLDS = (
    Clean(),
    Corrupted("x"),
    Ablated(NODES, FromCounterfactual("x")),
    Ablated(NODES, Zero()),
    Isolated(NODES, FromCounterfactual("y"), mlps=True),
    Patched(SENDERS, frozenset(), "x", strict=False),
    Patched(SENDERS, frozenset({(Node(Head(2, 0), A), "q"), (Node(Head(2, 0), A), "v")}), "x", strict=True),
    EdgesKept(frozenset({NodeEdge(Node(Head(1, 2), A)), NodeEdge(Node(Mlp(0), A), Node(Head(1, 2), A), "q")}), "x"),
)
READINGS: tuple[Reading, ...] = (Metric("logit_diff"), Metric("probability"), Hit(5), Predicted("V"), Divergence())
EDGES = tuple(world for world in WORLDS if isinstance(world, EdgesKept))


def cut(prompt: Prompt) -> Prompt:
    """The prompt up to A, which is its END, without what comes later."""
    (last,) = prompt.positions["A"]
    places = {name: found for name, found in prompt.positions.items() if max(found) <= last}
    shorter = {name: tokens[: last + 1] for name, tokens in prompt.counterfactuals.items()}
    return replace(
        prompt,
        tokens=prompt.tokens[: last + 1],
        counterfactuals=shorter,
        positions=places | {"END": (last,)},
        read="END",
    )


@pytest.mark.parametrize("engine", [PlainEngine, FastEngine])
def test_what_is_read_after_a_position_is_what_the_prompt_cut_there_says(engine):
    model = architecture("gpt2")
    whole = prompts(12, 5, ("A",))
    worlds = [world for world in WORLDS if engine is PlainEngine or world not in EDGES]
    experiments = [Experiment(DATA, world, reading) for world in worlds for reading in READINGS]
    read = engine(model).run(DATA, whole, 0, 12, experiments)
    ended = PlainEngine(model).run(DATA, tuple(map(cut, whole)), 0, 12, experiments)
    for experiment in experiments:
        ours, theirs = read[experiment], ended[experiment]
        assert isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray), experiment
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4, err_msg=str(experiment))


def test_reading_elsewhere_changes_figures():
    model = architecture("gpt2")
    stream = prompts(12, 5)
    experiment = Experiment(DATA, Clean(), Metric("logit_diff"))
    at_end, at_a = (
        PlainEngine(model).run(DATA, some, 0, 12, [experiment])[experiment]
        for some in (stream, tuple(replace(prompt, read="A") for prompt in stream))
    )
    assert isinstance(at_end, np.ndarray) and isinstance(at_a, np.ndarray)
    assert (np.abs(at_end - at_a) > 1e-3).all()


def test_a_prompt_is_asked_for_the_answers_of_its_place():
    (prompt,) = prompts(1, 0)
    prompt = replace(prompt, elsewhere={"A": Answers((7, 8), (9,), (7, 8, 9))})
    asked = read_at(prompt, "A")
    assert (asked.read, asked.answer, asked.answers, asked.wrong, asked.options) == ("A", 7, (7, 8), (9,), (7, 8, 9))
    assert asked.tokens == prompt.tokens and asked.positions == prompt.positions
    assert read_at(prompt, "END") is prompt
    with pytest.raises(KeyError):
        read_at(prompt, "B")
