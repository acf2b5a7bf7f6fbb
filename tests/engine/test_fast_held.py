"""What the fast engine keeps of the runs that its worlds share: what they will read, where they will read it."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import DATA, HEADS, LAYERS, architecture, prompts

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import batch_of
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.caches import sources_of
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.fast.held import hold, joined
from circuitdsl.language.circuit import Head, Node, Position
from circuitdsl.measures.experiments import Ablated, Experiment, FromCounterfactual, Metric, Patched

END = Position("END")
ROWS = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 1000))
def test_what_was_wanted_is_found_again_at_every_token(rows, seed):
    wanted = torch.tensor(rows)
    values = torch.randn(len(rows), 5, 2, 3, generator=torch.Generator().manual_seed(seed))
    held = hold(values, wanted)
    assert held.values.shape[1] <= max(1, int(wanted.sum(1).max()))
    assert held.largest == values.abs().max()
    for row, token in wanted.nonzero().tolist():
        at = torch.full((len(rows), 1), token)
        assert torch.equal(held.take(at)[row, 0], values[row, token])


def test_wants_are_joined_point_by_point():
    first, second = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    both = joined({"a": first, "b": None, "c": first}, {"a": second, "b": second, "d": second})
    assert both["a"].tolist() == [[True, True]]
    assert (both["b"], both["c"].tolist(), both["d"].tolist()) == (None, [[True, False]], [[False, True]])


def caches_of(worlds):
    engine = FastEngine(architecture("gpt2"))
    stream = prompts(6, 0)
    asked = Answers([Experiment(DATA, world, Metric("logit_diff")) for world in worlds]).open()
    sources = sources_of(engine.network, engine.model.geometry, stream, 4096, {}, lambda work: None)
    return engine._caches(batch_of(stream, torch.device("cpu")), asked, sources)


def test_a_sweep_of_paths_to_the_logits_keeps_one_token_and_no_keys():
    heads = [Head(layer, index) for layer in range(LAYERS) for index in range(HEADS)]
    caches = caches_of([Patched(frozenset({Node(head, END)}), frozenset(), "x", False) for head in heads])
    assert {held.values.shape[1] for held in caches.clean.kept.values()} == {1}
    assert {held.values.shape[1] for held in caches.counterfactual("x").kept.values()} == {1}
    assert not any("keys" in name or "values" in name for name in caches.clean.kept)


def test_an_ablation_keeps_keys_from_its_layer_on_and_nothing_of_the_layers_before():
    caches = caches_of([Ablated(frozenset({Node(Head(1, 0), END)}), FromCounterfactual("x"))])
    assert {int(name.split(".")[1]) for name in caches.clean.kept} == set(range(1, LAYERS))
    assert caches.clean.kept[hooks.z(1)].values.shape[1] == 1
    assert set(caches.counterfactual("x").kept) == {hooks.z(1)}
