"""What the fast engine caches of the runs that its worlds share: what they will read, where they will read it."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import DATA, HEADS, LAYERS, architecture, prompts

from circuitdsl.components import Head, Node, Position
from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import batch_of
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.cached import cache, joined, one_below_another
from circuitdsl.engine.fast.caches import sources_of
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.references import NO_REFERENCES
from circuitdsl.measures.experiments import Ablated, Experiment, FromCounterfactual, Metric, Patched

END = Position("END")
ROWS = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 1000), st.integers(1, 4))
def test_what_is_required_is_cached_at_every_token(rows, seed, parts):
    """Of all prompts at once, and of some and others that are put together."""
    required = torch.tensor(rows)
    values = torch.randn(len(rows), 5, 2, 3, generator=torch.Generator().manual_seed(seed))
    several = min(parts, len(rows))
    each = zip(values.tensor_split(several), required.tensor_split(several), strict=True)
    cached = one_below_another([cache(*some) for some in each])
    assert cached.values.shape[1] <= max(1, int(required.sum(1).max()))
    assert cached.largest == values.abs().max()
    for row, token in required.nonzero().tolist():
        at = torch.full((len(rows), 1), token)
        assert torch.equal(cached.take(at)[row, 0], values[row, token])


def test_what_is_required_is_joined_by_hook_point():
    first, second = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    both = joined({"a": first, "b": None, "c": first}, {"a": second, "b": second, "d": second})
    listed = {name: None if tokens is None else tokens.tolist() for name, tokens in both.items()}
    assert listed["a"] == [[True, True]]
    assert (listed["b"], listed["c"], listed["d"]) == (None, [[True, False]], [[False, True]])


def caches_of(worlds):
    engine = FastEngine(architecture("gpt2"))
    stream = prompts(6, 0)
    asked = Answers([Experiment(DATA, world, Metric("logit_diff")) for world in worlds]).open()
    sources = sources_of(engine.network, engine.model.geometry, 4096, NO_REFERENCES, frozenset(), lambda work: None, 1)
    return engine._caches(batch_of(stream, torch.device("cpu")), asked, sources, 1)


def test_a_sweep_of_paths_to_the_logits_caches_one_token_and_no_keys():
    heads = [Head(layer, index) for layer in range(LAYERS) for index in range(HEADS)]
    caches = caches_of([Patched(frozenset({Node(head, END)}), frozenset(), "x", False) for head in heads])
    assert {cached.values.shape[1] for cached in caches.clean.activations.values()} == {1}
    assert {cached.values.shape[1] for cached in caches.counterfactual("x").activations.values()} == {1}
    assert not any("keys" in name or "values" in name for name in caches.clean.activations)


def test_an_ablation_caches_keys_from_its_layer_on_and_nothing_of_the_layers_before():
    caches = caches_of([Ablated(frozenset({Node(Head(1, 0), END)}), FromCounterfactual("x"))])
    assert {int(name.split(".")[1]) for name in caches.clean.activations} == set(range(1, LAYERS))
    assert caches.clean.activations[hook_names.z(1)].values.shape[1] == 1
    assert set(caches.counterfactual("x").activations) == {hook_names.z(1)}
