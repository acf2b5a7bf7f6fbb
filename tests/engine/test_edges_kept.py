"""Runs of edges alone: against all and none of the model, path patching, arithmetic by hand, and one pass an input."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from random_models import (
    ARCHITECTURES,
    DATA,
    _gpt2,  # pyright: ignore[reportPrivateUsage]
    architecture,
    prompts,
)
from torch import Tensor
from transformers import GPT2LMHeadModel

from circuitdsl.components import (
    ALL,
    END,
    Component,
    Dictionary,
    Embed,
    ErrorTerm,
    Feature,
    Geometry,
    Head,
    Mlp,
    Neuron,
    Node,
    OfDictionary,
    Position,
    can_carry,
)
from circuitdsl.components.head import all_heads
from circuitdsl.components.mlp import all_mlps
from circuitdsl.engine.batch import batch_of, counterfactual_tokens, tokens_at
from circuitdsl.engine.fast.engine import engine_for
from circuitdsl.engine.plain.arrivals import Arrivals
from circuitdsl.engine.plain.cost import passes
from circuitdsl.engine.plain.edges import EdgesRun
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.language.circuit import FromTo
from circuitdsl.measures.experiments import (
    Attention,
    Clean,
    Corrupted,
    EdgesKept,
    Experiment,
    Metric,
    NodeEdge,
    Patched,
    Reading,
    World,
)
from circuitdsl.measures.measurement import Array, CannotMeasure, Failure
from circuitdsl.models import Model, open_model
from circuitdsl.tasks.prompts import Prompt
from written_dictionaries import Arrays, features_of, random_dictionary

PROMPTS = prompts(10, seed=3)
LOGIT_DIFF = Metric("logit_diff")
GROUPED = "llama, grouped queries"
NO_NORM = "attention only, no norm"


def readings(model: Model, *worlds: World, some: tuple[Prompt, ...] = PROMPTS, tokens: int = 100) -> list[Array]:
    asked = [Experiment(DATA, world, LOGIT_DIFF) for world in worlds]
    results = PlainEngine(model, tokens=tokens).run(DATA, some, 0, len(some), asked)
    found = [results[experiment] for experiment in asked]
    assert not any(isinstance(each, Failure) for each in found), found
    return [each for each in found if not isinstance(each, Failure)]


def failure(model: Model, world: World, reading: Reading = LOGIT_DIFF, some: tuple[Prompt, ...] = PROMPTS) -> str:
    experiment = Experiment(DATA, world, reading)
    found = PlainEngine(model).run(DATA, some, 0, len(some), [experiment])[experiment]
    assert isinstance(found, Failure)
    return found.message


def all_edges(geometry: Geometry) -> frozenset[NodeEdge]:
    receivers: tuple[Component, ...] = (*all_heads(geometry), *all_mlps(geometry))
    senders: tuple[Component, ...] = (Embed(), *receivers)
    inside = {
        NodeEdge(Node(sender, ALL), Node(receiver, ALL), which)
        for sender in senders
        for receiver in receivers
        if can_carry(sender, receiver, geometry.parallel_attn_mlp)
        for which in receiver.inputs or ("",)
    }
    return frozenset(inside | {NodeEdge(Node(sender, ALL)) for sender in senders})


def kept(edges: frozenset[NodeEdge]) -> EdgesKept:
    return EdgesKept(edges, "x")


def close(found: Array, expected: Array):
    """To rounding: a model without norms has logits in the hundreds."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_edges_are_the_model_and_none_the_counterfactual(name: str):
    model = architecture(name)
    everything, nothing, clean, corrupted = readings(
        model, kept(all_edges(model.geometry)), kept(frozenset()), Clean(), Corrupted("x")
    )
    close(everything, clean)
    close(nothing, corrupted)
    assert np.abs(clean - corrupted).max() > 0.1


# --- one pass an input -----------------------------------------------------------------------------


Written = tuple[Dictionary, Arrays, str]
"""A dictionary, its arrays and its architecture."""


def one_by_one(model: Model, prompt: Prompt, edges: frozenset[NodeEdge], written: tuple[Written, ...] = ()) -> Tensor:
    """The definition for one prompt: every input that edges lead to by a forward pass of its own. Logits at END."""
    bridge, geometry = model.bridge, model.geometry
    batch = batch_of([prompt], torch.device("cpu"))
    other = counterfactual_tokens(batch, "x")

    def passing(tokens: Tensor, put: dict[str, tuple[int | None, Tensor]], names: list[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def writing(name: str):
            def write(activation: Tensor, hook: object) -> Tensor:
                column, value = put[name]
                if column is None:
                    return value
                activation = activation.clone()
                activation[..., column, :] = value
                return activation

            return write

        def reading(name: str):
            def read(activation: Tensor, hook: object) -> None:
                found[name] = activation.detach().clone()

            return read

        hooks = [(name, writing(name)) for name in put] + [(name, reading(name)) for name in names]
        with torch.inference_mode():
            found["logits"] = bridge.run_with_hooks(tokens, fwd_hooks=[*hooks], return_type="logits")
        return found

    def stream(name: str, receiver: Node | None, which: str) -> Tensor:
        total = passing(other, {}, [name])[name]
        component = receiver and receiver.component
        for sender, change in changes.items():
            met = [
                set(tokens_at(prompt, edge.sender.position)) & set(tokens_at(prompt, place(edge)))
                for edge in edges
                if (edge.sender.component, edge.input, edge.receiver and edge.receiver.component)
                == (sender, which, component)
            ]
            meet = torch.zeros(total.shape[1], dtype=torch.bool)
            meet[sorted(set[int]().union(*met))] = True
            total = total + meet[:, None] * change
        return total

    def place(edge: NodeEdge) -> Position:
        return END if edge.receiver is None else ALL if at_heads(edge.receiver) else edge.receiver.position

    def at_heads(node: Node) -> bool:
        return isinstance(node.component, OfDictionary) and node.component.dictionary.point == "attn_out"

    def put_out(point: str, layer: int, reads: str) -> dict[Component, Tensor]:
        """What features and errors at a point write, each by a pass in which what arrives at it is read."""
        found: dict[Component, Tensor] = {}
        for dictionary, arrays, kind in written:
            if (dictionary.point, dictionary.layer) != (point, layer):
                continue
            names = [dictionary.stands_at, dictionary.reads]
            then = passing(other, {}, names)
            for node in sorted({edge.receiver for edge in edges if edge.receiver}, key=str):
                part = node.component
                if not isinstance(part, OfDictionary) or part.dictionary != dictionary:
                    continue
                now = passing(other, {reads: (None, stream(reads, node, ""))}, names)
                f, g = (
                    torch.tensor(np.array([features_of(x.numpy(), arrays, kind) for x in run[dictionary.reads][0]]))
                    for run in (now, then)
                )
                decoder = torch.from_numpy(arrays["W_dec"])
                change = (f - g).float() @ decoder
                if isinstance(part, Feature):
                    change = (f - g)[:, [part.index]].float() * decoder[part.index]
                else:
                    change = (now[dictionary.stands_at] - then[dictionary.stands_at])[0] - change
                its = torch.zeros(len(prompt.tokens), dtype=torch.bool)
                its[sorted(tokens_at(prompt, node.position)) if at_heads(node) else slice(None)] = True
                found[part] = (change * its[:, None])[None]
        return found

    first = "blocks.0.hook_resid_pre"
    changes: dict[Component, Tensor] = {
        Embed(): passing(batch.tokens, {}, [first])[first] - passing(other, {}, [first])[first]
    }
    receivers = {edge.receiver.component for edge in edges if edge.receiver}
    for layer in range(geometry.n_layers):
        before, z = f"blocks.{layer}.hook_resid_pre", f"blocks.{layer}.attn.hook_z"
        made: dict[Component, Tensor] = {}
        for head in sorted(each for each in receivers if isinstance(each, Head) and each.layer == layer):
            put: dict[str, tuple[int | None, Tensor]] = {}
            for which in "qkv":
                name, spot = head.receives(which), head.column(which, geometry)
                assert spot is not None
                whole = passing(other, {before: (None, stream(before, Node(head, ALL), which))}, [name])[name]
                put[name] = spot[0], whole[..., spot[0], :]
            now, then = passing(other, put, [z])[z], passing(other, {}, [z])[z]
            made[head] = (now - then)[:, :, head.index] @ bridge.W_O[layer, head.index].detach()
        made |= put_out("attn_out", layer, before)
        if geometry.parallel_attn_mlp:
            _mlp(made, Mlp(layer), before, receivers, passing, stream, other)
            changes |= made | put_out("mlp_out", layer, before)
        else:
            changes |= made
            within = f"blocks.{layer}.hook_resid_mid"
            of_features = put_out("mlp_out", layer, within)
            _mlp(changes, Mlp(layer), within, receivers, passing, stream, other)
            changes |= of_features
    last = f"blocks.{geometry.n_layers - 1}.hook_resid_post"
    return passing(other, {last: (None, stream(last, None, ""))}, [])["logits"][0, int(batch.ends[0])]


def _mlp(into, mlp, before, receivers, passing, stream, other):
    if mlp in receivers:
        now = passing(other, {before: (None, stream(before, Node(mlp, ALL), ""))}, [mlp.output])
        into[mlp] = now[mlp.output] - passing(other, {}, [mlp.output])[mlp.output]


def some_edges(geometry: Geometry, seed: int) -> frozenset[NodeEdge]:
    """Half of all edges and more, some of them twice, each between positions that may or may not be one token."""
    rng = random.Random(seed)
    places = [ALL, ALL, END, *map(Position, ("A", "B", "S"))]

    def placed(node: Node | None) -> Node | None:
        return node and Node(node.component, rng.choice(places))

    def moved(edge: NodeEdge) -> NodeEdge:
        return NodeEdge(Node(edge.sender.component, rng.choice(places)), placed(edge.receiver), edge.input)

    every = sorted(all_edges(geometry), key=str)
    return frozenset(map(moved, [*rng.sample(every, len(every) // 2), *rng.sample(every, len(every) // 4)]))


@pytest.mark.parametrize("name", ["gpt2", GROUPED, "neox, parallel, partial rotary", "bloom, ALiBi", NO_NORM])
def test_any_edges_as_one_pass_an_input_has_it(name: str):
    model = architecture(name)
    for seed, prompt in enumerate(PROMPTS[:3]):
        edges = some_edges(model.geometry, seed)
        (found,) = readings(model, kept(edges), some=(prompt,))
        logits = one_by_one(model, prompt, edges)
        expected = logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].mean()
        close(found, np.array([float(expected)]))


def feature_edges(geometry: Geometry, written: tuple[Written, ...], seed: int) -> frozenset[NodeEdge]:
    """Some edges into features and errors, on from these, past them and between other components, each into a part at
    one position."""
    rng = random.Random(seed)
    places = [ALL, END, *map(Position, ("A", "B", "S"))]
    parts = [
        Node(part, rng.choice(places))
        for dictionary, _, _ in written
        for part in (*rng.sample(Feature.of(dictionary, (None,)), 4), ErrorTerm(dictionary))
    ]
    points = {dictionary.summed for dictionary, _, _ in written}

    def ends(others: list[Component]) -> list[Node]:
        return [*parts, *(Node(each, rng.choice(places)) for each in others)]

    others: list[Component] = [*all_heads(geometry), *all_mlps(geometry)]
    senders = ends([Embed(), *(each for each in others if each.output not in points)])
    edges = {
        NodeEdge(sender, receiver, which)
        for sender in senders
        for receiver in ends(others)
        for which in receiver.component.inputs or ("",)
        if can_carry(sender.component, receiver.component, geometry.parallel_attn_mlp) and rng.random() < 0.4
    }
    return frozenset(edges | {NodeEdge(Node(sender.component, ALL)) for sender in senders})


POINTS = [("standard", "attn_out", "topk", "mlp_out"), ("jumprelu", "attn_out", "transcoder", "mlp_out")]


@pytest.mark.parametrize("name", ["gpt2", GROUPED, "phi, parallel with one norm"])
@pytest.mark.parametrize("pair", POINTS, ids=str)
def test_edges_between_features_as_one_pass_an_input_has_them(name: str, pair, tmp_path):
    model = architecture(name)
    first, point, second, other = pair
    written = tuple(
        (*random_dictionary(tmp_path / which, which, there, 1, name=f"d{which[0]}"), which)
        for which, there in ((first, point), (second, other))
    )
    for seed, prompt in enumerate(PROMPTS[:2]):
        edges = feature_edges(model.geometry, written, seed)
        assert any(isinstance(edge.sender.component, OfDictionary) for edge in edges if edge.receiver)
        (found,) = readings(model, kept(edges), some=(prompt,))
        logits = one_by_one(model, prompt, edges, written)
        expected = logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].mean()
        close(found, np.array([float(expected)]))


def test_all_parts_in_place_of_what_they_are_parts_of_are_the_model(tmp_path):
    model = architecture("gpt2")
    dictionary, _ = random_dictionary(tmp_path / "d", "standard", "attn_out", 1)
    parts: tuple[Component, ...] = (*Feature.of(dictionary, (None,)), ErrorTerm(dictionary))
    whole = {edge for edge in all_edges(model.geometry) if edge.sender.component.output != dictionary.summed}
    into = {NodeEdge(edge.sender, Node(part, ALL)) for edge in whole for part in parts if _reach(edge, dictionary)}
    onward = {
        replace(edge, sender=Node(part, ALL))
        for edge in all_edges(model.geometry)
        if edge.sender.component == Head(1, 0)
        for part in parts
    }
    everything, clean = readings(model, kept(frozenset(whole | into | onward)), Clean())
    close(everything, clean)


def _reach(edge: NodeEdge, dictionary: Dictionary) -> bool:
    return edge.receiver is not None and can_carry(edge.sender.component, ErrorTerm(dictionary), False)


def test_what_would_arrive_twice_is_refused(tmp_path):
    model = architecture("gpt2")
    dictionary, _ = random_dictionary(tmp_path / "d", "standard", "attn_out", 1)
    feature, error = Node(Feature(dictionary, 3), ALL), Node(ErrorTerm(dictionary), ALL)
    stream, _ = random_dictionary(tmp_path / "s", "standard", "resid_pre", 1)
    head = Node(Head(1, 2), ALL)
    embed = Node(Embed(), ALL)
    wrong = {
        "are parts of one output": (NodeEdge(feature), NodeEdge(head)),
        "is a part of what 1.2 writes": (NodeEdge(head, error),),
        "is of all that was written before": (NodeEdge(Node(Feature(stream, 0), ALL)),),
        "at several positions": (NodeEdge(embed, feature), NodeEdge(embed, Node(feature.component, END))),
        "knows no neuron 1.3": (NodeEdge(Node(Neuron(1, 3), ALL)),),
    }
    for message, edges in wrong.items():
        assert message in failure(model, kept(frozenset(edges)))


def test_heads_of_a_group_take_turns():
    """With grouped queries two heads of one group may read different keys."""
    model = architecture(GROUPED)
    first, second = Node(Head(1, 0), ALL), Node(Head(1, 1), ALL)
    edges = [NodeEdge(Node(Embed(), ALL), first, "k"), NodeEdge(Node(Head(0, 2), ALL), second, "k")]
    edges += [NodeEdge(Node(Embed(), ALL), Node(Head(0, 2), ALL), "v"), NodeEdge(first), NodeEdge(second)]
    assert Arrivals.of(edges).turns(1, model.geometry) == ((Head(1, 0),), (Head(1, 1),))
    (found,) = readings(model, kept(frozenset(edges)), some=PROMPTS[:1])
    logits = one_by_one(model, PROMPTS[0], frozenset(edges))
    close(found, np.array([float(logits[list(PROMPTS[0].answers)].mean() - logits[list(PROMPTS[0].wrong)].mean())]))


# --- a single edge to the logits -------------------------------------------------------------------


def upstream(geometry: Geometry) -> frozenset[NodeEdge]:
    """All edges but those to the logits: every component has its clean output."""
    return frozenset(edge for edge in all_edges(geometry) if edge.receiver is not None)


@pytest.mark.parametrize("sender", [Head(0, 1), Head(2, 3)], ids=str)
def test_one_edge_to_the_logits_is_strict_path_patching_from_the_other_side(sender: Component):
    """Without norms: there the clean output of a sender on a counterfactual run is all that path patching moves."""
    model = architecture(NO_NORM)
    edges = upstream(model.geometry) | {NodeEdge(Node(sender, ALL))}
    swapped = tuple(replace(p, tokens=p.counterfactuals["x"], counterfactuals={"x": p.tokens}) for p in PROMPTS)
    (found,) = readings(model, kept(edges))
    path = Patched(frozenset({Node(sender, ALL)}), frozenset(), "x", strict=True)
    (expected,) = readings(model, path, some=swapped)
    close(found, expected)


@pytest.mark.parametrize("sender", [Head(1, 2), Mlp(0), Mlp(2), Embed()], ids=str)
def test_one_edge_to_the_logits_by_hand(sender: Component):
    """GPT-2 in transformers: the counterfactual's last stream with one output exchanged, then norm and unembedding."""
    folder = _gpt2()
    model, by_hand = open_model(folder), GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    (found,) = readings(model, kept(upstream(model.geometry) | {NodeEdge(Node(sender, END))}))
    for prompt, value in zip(PROMPTS, found, strict=True):
        clean, counter = (written(by_hand, tokens, sender) for tokens in (prompt.tokens, prompt.counterfactuals["x"]))
        with torch.inference_mode():
            last = counter[1] + clean[0] - counter[0]
            logits = by_hand.lm_head(by_hand.transformer.ln_f(last))
        expected = logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].mean()
        assert value == pytest.approx(float(expected), abs=1e-4)


def written(model: GPT2LMHeadModel, tokens: tuple[int, ...], sender: Component) -> tuple[Tensor, Tensor]:
    """What a component writes at the last token, and the residual stream there before the last norm."""
    found: dict[str, Tensor] = {}
    blocks: Any = model.transformer.h
    handles = [
        model.transformer.wte.register_forward_hook(lambda module, args, out: found.update(written=out[0, -1])),
        model.transformer.ln_f.register_forward_pre_hook(lambda module, args: found.update(last=args[0][0, -1])),
    ]
    if isinstance(sender, Head):
        width = model.config.n_embd // model.config.n_head
        columns = slice(sender.index * width, (sender.index + 1) * width)
        projection = blocks[sender.layer].attn.c_proj

        def out_of(module: torch.nn.Module, args: tuple[Tensor]) -> None:
            found["written"] = args[0][0, -1, columns] @ projection.weight[columns]

        handles.append(projection.register_forward_pre_hook(out_of))
    if isinstance(sender, Mlp):
        mlp = blocks[sender.layer].mlp
        handles.append(mlp.register_forward_hook(lambda module, args, out: found.update(written=out[0, -1])))
    with torch.inference_mode():
        model(torch.tensor([tokens]))
    for handle in handles:
        handle.remove()
    return found["written"], found["last"]


# --- what it declines, and what it costs -----------------------------------------------------------


def test_a_stream_that_is_no_sum_of_outputs_is_declined():
    """As where outputs are normed before they are added: here what heads write is taken for twice as much."""
    model = architecture("gpt2")
    batch = batch_of(PROMPTS[:2], torch.device("cpu"))
    run = EdgesRun(batch, model.geometry, 2 * model.bridge.W_O.detach(), Arrivals.of([NodeEdge(Node(Embed(), ALL))]))
    tokens = run.tokens(counterfactual_tokens(batch, "x"))
    with pytest.raises(CannotMeasure, match=r"before layer 1 the residual stream .* is not the sum"):
        model.bridge.run_with_hooks(tokens, fwd_hooks=[*run.hooks()], return_type="logits")


def test_what_it_does_not_read_or_find_is_said():
    model = architecture("gpt2")
    world = kept(frozenset({NodeEdge(Node(Embed(), Position("nowhere")))}))
    assert "has no position nowhere" in failure(model, world)
    attention = Attention(Head(0, 0), FromTo(END, END))
    assert "only the logits are read" in failure(model, kept(frozenset()), attention)
    same = tuple(replace(p, counterfactuals={"x": p.tokens}) for p in PROMPTS)
    assert "every prompt is its own counterfactual x" in failure(model, kept(frozenset()), some=same)


def test_the_fast_engine_hands_it_on():
    model = architecture(GROUPED)
    experiment = Experiment(DATA, kept(some_edges(model.geometry, 1)), LOGIT_DIFF)
    found = engine_for(model).run(DATA, PROMPTS, 0, len(PROMPTS), [experiment])[experiment]
    (expected,) = readings(model, experiment.world)
    assert not isinstance(found, Failure)
    close(found, expected)


@pytest.mark.parametrize("name", ["gpt2", "neox, parallel, partial rotary"])
def test_its_cost_is_the_copies_of_the_prompts(name: str):
    ticked: list[int] = []
    model = architecture(name)
    edges = frozenset(
        {
            NodeEdge(Node(Embed(), ALL), Node(Head(1, 0), ALL), "q"),
            NodeEdge(Node(Head(0, 0), ALL), Node(Head(1, 1), ALL), "k"),
            NodeEdge(Node(Head(1, 1), END)),
        }
    )
    experiment = Experiment(DATA, kept(edges), LOGIT_DIFF)
    PlainEngine(model, ticked.append).run(DATA, PROMPTS, 0, len(PROMPTS), [experiment])
    assert sum(ticked) == passes(experiment.world, model.geometry) * len(PROMPTS) == 4 * len(PROMPTS)
