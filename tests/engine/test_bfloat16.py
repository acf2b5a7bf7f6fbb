"""Both engines in bfloat16: they agree as far as it can tell numbers apart, and a screen in it loses no head."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import pytest
import torch
from random_models import ARCHITECTURES, DATA, HEADS, LAYERS, VOCABULARY, Draw, architecture, folder, prompts
from transformers import Qwen3Config, Qwen3ForCausalLM

from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.architecture import in_dtype
from circuitdsl.engine.fast.engine import FastEngine, engine_for
from circuitdsl.engine.guard import no_change
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.judge.screen import screen
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Experiment,
    FromCounterfactual,
    Hit,
    Metric,
    Patched,
    Predicted,
    Reading,
    Zero,
)
from circuitdsl.measures.measurement import Failure
from circuitdsl.models import Model, Opening, open_model

EPS = torch.finfo(torch.bfloat16).eps
LOGIT_DIFF = Metric("logit_diff")
END = Position("END")


@cache
def coarse(name: str) -> Model:
    """The model of the named architecture with its weights, and all that it computes, in bfloat16."""
    model = ARCHITECTURES[name]()
    for name, tensor in (*model.bridge.named_parameters(), *model.bridge.named_buffers()):
        if tensor.is_floating_point() and not name.endswith("inv_freq"):
            tensor.data = tensor.data.to(torch.bfloat16)
    model.bridge.cfg.dtype = torch.bfloat16
    return model


# --- the two engines -------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "name"), [*enumerate(ARCHITECTURES)])
def test_the_fast_engine_equals_the_plain_engine_to_what_bfloat16_can_tell(seed, name):
    """Other experiments for every architecture: tests/engine/test_fast_property.py tries many of each in float32."""
    exact, model, stream = architecture(name), coarse(name), prompts(24, seed % 5)
    drawn = Draw(model.geometry, seed).experiments(9)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in drawn))
    fast, plain, true = (
        engine.run(DATA, stream, 0, 8, experiments, references_over(stream, experiments))
        for engine in (FastEngine(model, tokens=60), PlainEngine(model), FastEngine(exact))
    )
    ours, theirs, apart = [], [], []
    for each in experiments:
        one, other, third = fast[each], plain[each], true[each]
        if isinstance(one, Failure) or isinstance(other, Failure) or isinstance(third, Failure):
            assert one == other == third, each  # the guard sees the same changes in every precision
        elif not _is_zero_or_one(each.reading):
            scale = max(np.abs(third).max(), 1e-2)
            ours.append(_size((one - third) / scale))
            theirs.append(_size((other - third) / scale))
            apart.append(_size((one - other) / scale))
    assert np.median(apart) <= 4 * EPS
    # As near to the truth as the plain engine: rounding in another order, not another computation.
    assert _size(ours) <= 4 * _size(theirs) + EPS


def _is_zero_or_one(reading: Reading) -> bool:
    """One prompt whose top tokens are nearly equal is all of the difference then, and no rounding."""
    accuracy = isinstance(reading, Metric) and reading.name.startswith("accuracy")
    return accuracy or isinstance(reading, Hit | Predicted)


def _size(errors: Sequence[float] | np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def test_an_architecture_that_is_not_covered_is_told_in_bfloat16_too():
    config = Qwen3Config(  # it normalises queries and keys
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        hidden_size=8,
        intermediate_size=8,
        vocab_size=VOCABULARY,
    )
    engine = engine_for(open_model(folder(Qwen3ForCausalLM(config)), opening=Opening(dtype="bfloat16")))
    assert (engine.name, engine.dtype) == ("plain", "bfloat16")
    assert "would differ from TransformerLens" in engine.note  # type: ignore[attr-defined]


def test_a_precision_that_is_not_covered_is_run_by_the_plain_engine():
    model = ARCHITECTURES["gpt2"]()
    model.bridge.to(torch.float64)
    engine = engine_for(model)
    assert (engine.name, engine.dtype) == ("plain", "float64")
    assert engine.note.endswith("its weights are in float64")  # type: ignore[attr-defined]


# --- the guard -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [FastEngine, PlainEngine])
def test_a_patch_that_changes_nothing_is_a_failure_in_bfloat16(engine):
    stream = prompts(12, 2)
    same = [prompt.__class__(**{**vars(prompt), "counterfactuals": {"x": prompt.tokens}}) for prompt in stream]
    nodes = frozenset({Node(Head(1, 0), END)})
    worlds = [Ablated(nodes, FromCounterfactual("x")), Patched(nodes, frozenset(), "x", False)]
    experiments = [Experiment(DATA, world, LOGIT_DIFF) for world in worlds]
    # Counterfactuals in batches of their own, as they are for means: rounding may differ, and is no change.
    for failed in engine(coarse("gpt2"), tokens=40).run(DATA, same, 0, 12, experiments).values():
        assert isinstance(failed, Failure) and "changed nothing" in failed.message
    for worked in engine(coarse("gpt2")).run(DATA, stream, 0, 12, experiments).values():
        assert not isinstance(worked, Failure)


def test_what_is_no_change_depends_on_the_precision():
    assert no_change(torch.float32) == no_change(torch.float64) == 1e-6
    one, next_one = torch.tensor([1.0, 1.0 + no_change(torch.bfloat16)], dtype=torch.bfloat16)
    assert float(next_one - one) == no_change(torch.bfloat16)


# --- a copy in another precision -------------------------------------------------------------------


def test_a_copy_in_the_same_precision_shares_all_its_tensors():
    network = FastEngine(architecture("llama, grouped queries")).network
    same, less = in_dtype(network, torch.float32), in_dtype(network, torch.bfloat16)
    assert same.embedding is network.embedding
    assert same.blocks[0].q.weight is network.blocks[0].q.weight
    assert less.blocks[0].q.weight.dtype == less.rotary.cos.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert less.rotary.partner.dtype == torch.int64  # type: ignore[union-attr]
    assert network.embedding.dtype == torch.float32


@pytest.mark.parametrize("name", ["gpt2", "llama, grouped queries", "neox, sequential", "no norm"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_screen_in_bfloat16_keeps_every_head_of_a_random_model_that_reaches_the_floor(name, share):
    fine, true = known_effects(name)
    floor = float(np.quantile(np.abs(list(true.values())), share))
    rough = fine.in_dtype("bfloat16")
    rest = screen(list(ABLATIONS), floor, 0.95, partial(effects, rough), partial(effects, fine)).rest
    assert {item for item in ABLATIONS if abs(true[item]) >= floor} <= set(rest)


ABLATIONS = {
    (head, position): Experiment(DATA, Ablated(frozenset({Node(head, position)}), Zero()), LOGIT_DIFF)
    for head in (Head(layer, index) for layer in range(LAYERS) for index in range(HEADS))
    for position in (END, Position("A"), Position("S"))
}


def effects(engine, items):
    clean = Experiment(DATA, Clean(), LOGIT_DIFF)
    ran = engine.run(DATA, prompts(30, 1), 0, 30, [clean, *(ABLATIONS[item] for item in items)])
    assert not any(isinstance(answer, Failure) for answer in ran.values())
    return {item: (ran[ABLATIONS[item]] - ran[clean]).mean() / abs(ran[clean].mean()) for item in items}


@cache
def known_effects(name):
    """The engine of a model, and the effect of everything on it."""
    fine = FastEngine(architecture(name))
    return fine, effects(fine, list(ABLATIONS))
