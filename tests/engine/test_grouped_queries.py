"""Where heads share keys and values, a path into one head's key or value changes what that head reads, and no other.

Both engines are compared with a Llama written out in numpy, in which every head has its own copy from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from llama_by_hand import Edit, Llama
from random_models import DATA, SHAPE, folder, prompts
from transformers import LlamaConfig, LlamaForCausalLM

from circuitdsl.actions import Attend, Scale, Target
from circuitdsl.components import Head, Mlp, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.cost import PlainCost
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.language.circuit import FromTo
from circuitdsl.measures.experiments import Attention, Clean, Experiment, Intervened, Metric, Patched, Reading, World
from circuitdsl.models import Model, open_model
from circuitdsl.tasks.prompts import Prompt

LOGIT_DIFF = Metric("logit_diff")
A, B, S, END = (Position(name) for name in ("A", "B", "S", "END"))
STREAM = prompts(12, 3)
HEADS, GROUPS = 6, 2

Receivers = Iterable[tuple[Node, str]]


def mark(what: str, node: Node) -> tuple[str, int, Position]:
    """Where the computation by hand has a head's query, key, value or output."""
    assert isinstance(node.component, Head)
    return f"{what} {node.component.layer}", node.component.index, node.position


class Both(NamedTuple):
    model: Model
    by_hand: Llama


@pytest.fixture(scope="module")
def llama() -> Both:
    shape: dict[str, Any] = SHAPE | {
        "num_attention_heads": HEADS,
        "num_key_value_heads": GROUPS,
        "hidden_size": 4 * HEADS,
    }
    path = folder(LlamaForCausalLM(LlamaConfig(**shape)))
    return Both(open_model(path), Llama.of(LlamaForCausalLM.from_pretrained(path, dtype="float32")))


# --- by hand ---------------------------------------------------------------------------------------


def difference(logits, prompt: Prompt) -> float:
    return logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].mean()


def into(prompt: Prompt, values: Mapping[str, np.ndarray], marks: Iterable[tuple[str, int, Position]]) -> Edit:
    """An edit that gives heads what ``values`` has of them at the positions marked."""

    def edit(name: str, value: np.ndarray) -> np.ndarray:
        for marked, head, position in marks:
            if marked == name:
                value = value.copy()
                at = list(prompt.positions[position.name])
                value[at, head] = values[name][at, head]
        return value

    return edit


def patched(by_hand: Llama, prompt: Prompt, senders: Iterable[Node], receivers: Receivers, strict: bool, base: Edit):
    """Logits of path patching, ``base`` being done in both runs and in the one whose outputs are kept."""
    by_hand(prompt.counterfactuals["x"])
    elsewhere = by_hand.seen
    by_hand(prompt.tokens, base)
    kept = by_hand.seen
    sending = into(prompt, elsewhere, [mark("z", node) for node in senders])
    frozen = ("z ", "mlp ", "scale ") if strict else ("z ",)

    def first(name: str, value: np.ndarray) -> np.ndarray:
        return sending(name, kept[name] if name.startswith(frozen) else base(name, value))

    by_hand(prompt.tokens, first)
    receiving = into(
        prompt,
        by_hand.seen,
        [mark(which, node) for node, which in receivers],
    )
    return by_hand(prompt.tokens, lambda name, value: receiving(name, base(name, value)))


def nothing(name: str, value: np.ndarray) -> np.ndarray:
    return value


def run(engine, world: World, reading: Reading = LOGIT_DIFF) -> np.ndarray:
    experiment = Experiment(DATA, world, reading)
    result = engine.run(DATA, STREAM, 0, len(STREAM), [experiment])[experiment]
    assert isinstance(result, np.ndarray), result
    return result


def engines(model: Model):
    return PlainEngine(model), FastEngine(model)


def close(ours: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


# --- paths -----------------------------------------------------------------------------------------

SENDERS = frozenset({Node(Head(0, 0), A), Node(Head(0, 4), A), Node(Head(0, 5), S)})
PATHS = {
    "one head's key": [(Node(Head(1, 1), A), "k")],
    "one head's value": [(Node(Head(2, 5), A), "v")],
    "key and value of one head": [(Node(Head(1, 0), A), "k"), (Node(Head(1, 0), A), "v")],
    "two of a group, at other positions": [(Node(Head(1, 0), A), "k"), (Node(Head(1, 2), S), "k")],
    "one of each group": [(Node(Head(1, 1), A), "v"), (Node(Head(1, 4), A), "k")],
    "the whole group": [(Node(Head(1, index), A), "k") for index in (3, 4, 5)],
    "one head after another": [(Node(Head(1, 1), A), "k"), (Node(Head(2, 3), S), "v"), (Node(Head(2, 4), S), "k")],
    "with its own queries": [(Node(Head(1, 2), A), "k"), (Node(Head(1, 2), A), "q"), (Node(Head(1, 0), A), "q")],
}


@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
@pytest.mark.parametrize("name", PATHS)
def test_a_path_into_a_head_is_a_path_into_its_own_copy(llama: Both, name: str, strict: bool):
    receivers = PATHS[name]
    expected = np.array([difference(patched(llama.by_hand, p, SENDERS, receivers, strict, nothing), p) for p in STREAM])
    world = Patched(SENDERS, frozenset(receivers), "x", strict)
    for engine in engines(llama.model):
        close(run(engine, world), expected)
        assert np.abs(run(engine, Clean()) - expected).max() > 1e-2  # the path carries something


@pytest.mark.parametrize("name", PATHS)
def test_the_same_under_an_intervention(llama: Both, name: str):
    """It acts on receivers' outputs and patterns too, and stays in force."""
    nodes = (Node(Head(1, 1), S), Node(Head(1, 3), END), Node(Mlp(0), A))
    under = Intervened(
        (Scale(nodes, 2.0, text="scale"), Attend((Node(Head(2, 3), END),), (Target(A, 1.0),), text="attend")),
        (None, None),
    )

    def acting(prompt: Prompt) -> Edit:
        def edit(name: str, value: np.ndarray) -> np.ndarray:
            value = value.copy()
            for node in nodes:
                at = list(prompt.positions[node.position.name])
                if isinstance(node.component, Mlp) and name == "mlp 0":
                    value[at] *= 2
                if isinstance(node.component, Head) and name == "z 1":
                    value[at, node.component.index] *= 2
            if name == "pattern 2":
                value[3, -1] = 0
                value[3, -1, list(prompt.positions["A"])] = 1
            return value

        return edit

    receivers = PATHS[name]
    expected = np.array(
        [difference(patched(llama.by_hand, p, SENDERS, receivers, False, acting(p)), p) for p in STREAM]
    )
    for engine in engines(llama.model):
        close(run(engine, Patched(SENDERS, frozenset(receivers), "x", False, under)), expected)


def test_the_heads_of_a_group_are_told_apart(llama: Both):
    worlds = [Patched(SENDERS, frozenset({(Node(Head(1, index), A), "k")}), "x", False) for index in range(HEADS)]
    for engine in engines(llama.model):
        found = np.array([run(engine, world) for world in worlds])
        apart = np.abs(found[:, None] - found[None]).max(-1)
        assert apart[~np.eye(HEADS, dtype=bool)].min() > 1e-4


def test_the_attention_of_the_patched_head_alone_changes(llama: Both):
    world = Patched(SENDERS, frozenset({(Node(Head(1, 1), A), "k")}), "x", False)
    engine = PlainEngine(llama.model)
    for index in range(HEADS):
        reading = Attention(Head(1, index), FromTo(END, A))
        changed = np.abs(run(engine, world, reading) - run(engine, Clean(), reading)).max()
        assert changed > 1e-3 if index == 1 else changed == 0


def test_the_plain_engine_makes_as_many_passes_as_it_states(llama: Both):
    for receivers in PATHS.values():
        told: list[int] = []
        world = Patched(SENDERS, frozenset(receivers), "x", False)
        run(PlainEngine(llama.model, told.append), world)
        cost = PlainCost()
        stated = cost.own([world], [], llama.model.geometry)[world] + len(cost.shared([world]))
        assert sum(told) == stated * len(STREAM)
