"""Features of dictionaries: by hand on random models, and by what must come out whatever the dictionary is.

All features and the error of a dictionary are what stands at its point, which heads, MLPs and the stream, tested
elsewhere, say too; and a transcoder that has an MLP's own weights has its neurons as features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate, combinations
from typing import Any

import numpy as np
import pytest
import torch
from random_models import DATA, HEADS, architecture, prompts

from arrays import array
from circuitdsl.actions import Scale
from circuitdsl.components import (
    ALL,
    Component,
    Dictionary,
    ErrorTerm,
    Feature,
    Head,
    Mlp,
    Neuron,
    Node,
    Position,
    Residual,
    can_carry,
)
from circuitdsl.engine.batch import batch_of, counterfactual_tokens, mask_of
from circuitdsl.engine.fast.coverage import covers_world
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.cost import passes
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.plain.writes import put
from circuitdsl.engine.references import references_over
from circuitdsl.engine.store import key_of
from circuitdsl.measures.experiments import (
    Ablated,
    ByFeatures,
    Clean,
    Corrupted,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    World,
    Zero,
)
from written_dictionaries import ARCHITECTURES, AUTOENCODERS, TRANSCODERS, described, features_of, random_dictionary
from written_dictionaries import write as write_dictionary

B, S, END = (Position(name) for name in ("B", "S", "END"))
STREAM = prompts(12, 3)
MODELS = ("gpt2", "llama, grouped queries", "neox, parallel, partial rotary", "phi, parallel with one norm")
BY_TEMPLATE, ON_X = Mean("x", 3, by_template=True), FromCounterfactual("x")


def run(model: str, *worlds: World) -> list[np.ndarray]:
    """Logit differences [prompts] of worlds, which both engines give."""
    asked = [Experiment(DATA, world, Metric("logit_diff")) for world in worlds]
    plain, fast = (
        engine(architecture(model)).run(DATA, STREAM, 0, len(STREAM), asked, references_over(STREAM, asked))
        for engine in (PlainEngine, FastEngine)
    )
    for each in asked:
        assert isinstance(plain[each], np.ndarray), plain[each]
        same(fast[each], plain[each])
    return [plain[each] for each in asked]  # pyright: ignore[reportReturnType]


def at(place: Position, *components: Component) -> frozenset[Node]:
    return frozenset(Node(component, place) for component in components)


def every(dictionary: Dictionary) -> tuple[Component, ...]:
    return (*Feature.of(dictionary, (None,)), ErrorTerm(dictionary))


def same(ours, theirs):
    assert np.abs(ours - theirs).max() <= 1e-4 * max(np.abs(theirs).max(), 1e-2)


def moved(ours, theirs, least=1e-4):
    assert np.abs(ours - theirs).max() > least


@pytest.fixture
def random(tmp_path):
    """A dictionary of random weights for the models of this file."""
    return lambda kind, point, layer=1: random_dictionary(tmp_path / f"{kind} {point} {layer}", kind, point, layer)


# --- by hand ---------------------------------------------------------------------------------------


def hooked(model: str, tokens: torch.Tensor, hooks: list[tuple[str, Callable]], *names: str):
    """Logits at all tokens, and what passes some hook points after the hooks."""
    passed: dict[str, torch.Tensor] = {}

    def keep(name: str, activation, hook):
        passed[name] = activation.detach().clone()

    kept = [(name, partial(keep, name)) for name in names]
    with torch.inference_mode():
        return architecture(model).bridge.run_with_hooks(tokens, fwd_hooks=[*hooks, *kept]), passed


def differences(logits: torch.Tensor) -> np.ndarray:
    rows = [logits[i, len(prompt.tokens) - 1] for i, prompt in enumerate(STREAM)]
    pairs = zip(rows, STREAM, strict=True)
    return np.array([float(row[list(p.answers)].mean() - row[list(p.wrong)].mean()) for row, p in pairs])


def by_token(read: torch.Tensor, arrays, kind: str) -> torch.Tensor:
    """Features [prompts, length, n], token by token."""
    rows = [[features_of(token.numpy(), arrays, kind) for token in row] for row in read]
    return torch.from_numpy(np.array(rows, dtype=np.float32))


BATCH = batch_of(STREAM, torch.device("cpu"))
CASES = [
    *((kind, point) for kind in AUTOENCODERS for point in ("attn_out", "mlp_out", "resid_pre")),
    *((kind, "mlp_out") for kind in TRANSCODERS),
]


@pytest.mark.parametrize(("kind", "point"), CASES)
@pytest.mark.parametrize("model", ["gpt2", "phi, parallel with one norm"])
def test_chosen_features_are_replaced_and_the_error_is_carried(random, model, kind, point):
    dictionary, arrays = random(kind, point)
    there, read_at = f"blocks.1.hook_{point}", "blocks.1.mlp.hook_in" if kind in TRANSCODERS else None
    _, clean = hooked(model, BATCH.tokens, [], there, *([read_at] if read_at else []))
    _, other = hooked(model, counterfactual_tokens(BATCH, "x"), [], there, *([read_at] if read_at else []))
    ours, theirs = (by_token(run[read_at or there], arrays, kind) for run in (clean, other))
    chosen = [index for index in range(12) if float((ours - theirs)[mask_of(BATCH, S)][:, index].abs().max()) > 1e-3]
    assert len(chosen) >= 2
    chosen = chosen[:2]

    def change(activation, hook):
        changed = activation.clone()
        for row, tokens in enumerate(mask_of(BATCH, S)):
            for token in tokens.nonzero()[:, 0]:
                for index in chosen:
                    step = theirs[row, token, index] - ours[row, token, index]
                    changed[row, token] += step * torch.from_numpy(arrays["W_dec"][index])
        return changed

    by_hand = differences(hooked(model, BATCH.tokens, [(there, change)])[0])
    features = tuple(Feature(dictionary, index) for index in chosen)
    (found, clean_run) = run(model, Ablated(at(S, *features), ON_X), Clean())
    same(found, by_hand)
    moved(found, clean_run)


def test_the_error_is_what_features_do_not_make_up(random):
    dictionary, arrays = random("standard", "attn_out")
    there = "blocks.1.hook_attn_out"
    _, clean = hooked("gpt2", BATCH.tokens, [], there)
    features = by_token(clean[there], arrays, "standard")
    made_up = features @ torch.from_numpy(arrays["W_dec"]) + torch.from_numpy(arrays["b_dec"])

    def without(activation, hook):
        return torch.where(mask_of(BATCH, END)[..., None], made_up, activation)

    by_hand = differences(hooked("gpt2", BATCH.tokens, [(there, without)])[0])
    (found,) = run("gpt2", Ablated(at(END, ErrorTerm(dictionary)), Zero()))
    same(found, by_hand)


def test_a_feature_sends_to_the_queries_of_a_head(random):
    dictionary, arrays = random("jumprelu", "attn_out")
    there, q = "blocks.1.hook_attn_out", "blocks.2.attn.hook_q"
    zs = [f"blocks.{layer}.attn.hook_z" for layer in range(3)]
    _, clean = hooked("gpt2", BATCH.tokens, [], there, *zs)
    _, other = hooked("gpt2", counterfactual_tokens(BATCH, "x"), [], there)
    step = by_token(other[there], arrays, "jumprelu") - by_token(clean[there], arrays, "jumprelu")
    index = int(step[mask_of(BATCH, END)].abs().sum(0).argmax())
    sent = mask_of(BATCH, END)[..., None] * step[..., index, None] * torch.from_numpy(arrays["W_dec"][index])
    frozen = [(name, lambda activation, hook, name=name: clean[name]) for name in zs]
    _, travelled = hooked("gpt2", BATCH.tokens, [*frozen, (there, lambda activation, hook: activation + sent)], q)

    def receive(activation, hook):
        changed = activation.clone()
        changed[:, :, 3][mask_of(BATCH, END)] = travelled[q][:, :, 3][mask_of(BATCH, END)]
        return changed

    by_hand = differences(hooked("gpt2", BATCH.tokens, [(q, receive)])[0])
    path = Patched(at(END, Feature(dictionary, index)), frozenset({(Node(Head(2, 3), END), "q")}), "x", False)
    found, clean_run = run("gpt2", path, Clean())
    same(found, by_hand)
    moved(found, clean_run)


@pytest.mark.parametrize(("strict", "sender"), [(False, Head(0, 2)), (True, Head(0, 2)), (False, Mlp(0))])
def test_what_earlier_layers_write_reaches_features_of_attention_through_its_heads(random, strict, sender):
    dictionary, arrays = random("standard", "attn_out")
    there = "blocks.1.hook_attn_out"
    zs = [f"blocks.{layer}.attn.hook_z" for layer in (0, 1)]
    kept = ["blocks.0.hook_mlp_out", "blocks.1.ln1.hook_scale", "blocks.0.ln2.hook_scale"]
    _, clean = hooked("gpt2", BATCH.tokens, [], there, *zs, *kept)
    _, other = hooked("gpt2", counterfactual_tokens(BATCH, "x"), [], zs[0], kept[0])

    def send(activation, hook):
        changed = activation.clone()
        if isinstance(sender, Head):
            changed[:, :, sender.index][mask_of(BATCH, S)] = other[zs[0]][:, :, sender.index][mask_of(BATCH, S)]
        else:
            changed[mask_of(BATCH, S)] = other[kept[0]][mask_of(BATCH, S)]
        return changed

    frozen = [(name, lambda activation, hook, name=name: clean[name]) for name in [zs[0], *(kept if strict else [])]]
    sends = (zs[0] if isinstance(sender, Head) else kept[0], send)
    _, travelled = hooked("gpt2", BATCH.tokens, [*frozen, sends], there)
    step = by_token(travelled[there], arrays, "standard") - by_token(clean[there], arrays, "standard")
    index = int(step[mask_of(BATCH, END)].abs().sum(0).argmax())
    received = mask_of(BATCH, END)[..., None] * step[..., index, None] * torch.from_numpy(arrays["W_dec"][index])
    by_hand = differences(hooked("gpt2", BATCH.tokens, [(there, lambda a, hook: a + received)])[0])
    feature = Feature(dictionary, index)
    path = Patched(at(S, sender), frozenset({(Node(feature, END), "")}), "x", strict)
    found, clean_run = run("gpt2", path, Clean())
    same(found, by_hand)
    moved(found, clean_run)
    assert can_carry(sender, feature, parallel=False)


# --- what must come out whatever the dictionary is ---------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("source", [BY_TEMPLATE, ON_X, Zero()])
def test_all_of_a_dictionary_is_what_stands_at_its_point(random, model, source):
    attention, mlp, stream = (
        random(kind, point)[0]
        for kind, point in (("topk", "attn_out"), ("jumprelu_transcoder", "mlp_out"), ("standard", "resid_pre"))
    )
    heads = tuple(Head(1, index) for index in range(HEADS))
    if not isinstance(source, Zero):  # of zero heads a bias is left
        by_heads, by_parts = run(model, Ablated(at(S, *heads), source), Ablated(at(S, *every(attention)), source))
        same(by_parts, by_heads)
        whole, parts = run(model, Ablated(at(S, Mlp(1)), source), Ablated(at(S, *every(mlp)), source))
        same(parts, whole)
    whole, parts, clean = run(
        model, Ablated(at(S, Residual(1)), source), Ablated(at(S, *every(stream)), source), Clean()
    )
    if not isinstance(source, Zero):
        same(parts, whole)
    moved(parts, clean, 1e-3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", ["standard", "transcoder"])
def test_all_of_a_dictionary_sends_and_receives_what_its_mlp_does(random, model, strict, kind):
    dictionary = random(kind, "mlp_out")[0]

    def out(*senders: Component) -> Patched:
        return Patched(at(END, *senders), frozenset({(Node(Head(2, 1), END), "q")}), "x", strict)

    whole, parts, clean = run(model, out(Mlp(1)), out(*every(dictionary)), Clean())
    same(parts, whole)
    moved(parts, clean)

    def into(*readers: Component) -> Patched:
        return Patched(at(END, Head(0, 1)), frozenset((Node(each, END), "") for each in readers), "x", strict)

    whole, parts = run(model, into(Mlp(1)), into(*every(dictionary)))
    same(parts, whole)
    moved(parts, clean)


@pytest.mark.parametrize("model", MODELS)
def test_all_of_a_dictionary_receives_what_the_heads_of_its_layer_send(random, model):
    dictionary = random("standard", "attn_out")[0]
    heads = tuple(Head(1, index) for index in range(HEADS))
    into = Patched(at(S, *heads), frozenset((Node(each, S), "") for each in every(dictionary)), "x", False)
    received, ablated, clean = run(model, into, Ablated(at(S, *heads), ON_X), Clean())
    same(received, ablated)
    moved(received, clean, 1e-3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("kind", "point"), [("jumprelu", "attn_out"), ("topk", "mlp_out"), ("transcoder", "mlp_out")])
def test_what_features_and_the_error_send_directly_adds_up(random, model, kind, point):
    """With MLPs and the scales of norms frozen the logits are linear in what is sent."""
    dictionary = random(kind, point)[0]
    *features, error = every(dictionary)

    def path(*senders: Component) -> Patched:
        return Patched(at(END, *senders), frozenset(), "x", strict=True)

    some, others = features[:5], features[5:]
    whole, first, second, left, clean = run(
        model, path(*features, error), path(*some), path(*others), path(error), Clean()
    )
    same(first + second + left - 2 * clean, whole)
    moved(first, clean, 1e-5)
    # What a transcoder sends beside a head is the same too, though the head moves what the MLP reads.
    both, head = run(model, path(*some, Head(0, 1)), path(Head(0, 1)))
    same(first + head - clean, both)


def test_where_nothing_is_replaced_the_logits_are_the_same_to_the_bit(random):
    engine = PlainEngine(architecture("gpt2"))
    for kind, point in CASES:
        dictionary = random(kind, point)[0]
        engine.dictionaries.open([dictionary])
        nowhere = torch.zeros((), dtype=torch.bool)
        untouched = [put(name, nowhere, torch.ones(())) for name in (dictionary.features, dictionary.error)]
        clean = engine._forward(BATCH, BATCH.tokens, (), frozenset())
        read = engine._forward(BATCH, BATCH.tokens, (), frozenset({dictionary.features, dictionary.error}))
        written = engine._forward(BATCH, BATCH.tokens, untouched, frozenset())
        assert torch.equal(read.logits, clean.logits) and torch.equal(written.logits, clean.logits)
        assert read.activations[dictionary.features].shape == (*BATCH.tokens.shape, 12)


# --- a transcoder that is the MLP ------------------------------------------------------------------------


@pytest.fixture
def neurons(tmp_path):
    """The MLP of layer 1 of a model with ReLUs as a transcoder: its features are the neurons, and its error is zero."""
    mlp = architecture("no norm").bridge.blocks[1].mlp
    names = {"W_enc": "W_in", "b_enc": "b_in", "W_dec": "W_out", "b_dec": "b_out"}
    arrays = {name: getattr(mlp, own).detach().numpy().copy() for name, own in names.items()}
    return described(write_dictionary(tmp_path / "mlp", arrays, architecture="transcoder"), "mlp_out", 1)


WORLDS: tuple[Callable[..., World], ...] = (
    lambda *them: Ablated(at(S, *them), BY_TEMPLATE),
    lambda *them: Patched(at(END, *them), frozenset(), "x", strict=True),
    lambda *them: Patched(at(S, *them), frozenset({(Node(Head(2, 1), S), "v")}), "x", strict=False),
    lambda *them: Patched(at(END, Head(0, 2)), frozenset((Node(each, END), "") for each in them), "x", strict=False),
    lambda *them: Patched(at(END, Mlp(0)), frozenset((Node(each, END), "") for each in them), "x", strict=True),
)


@pytest.mark.parametrize("world", WORLDS)
def test_features_of_a_transcoder_that_is_the_mlp_are_neurons(neurons, world):
    some = (3, 4, 5, 11, 12, 20)
    by_neuron, by_feature, clean = run(
        "no norm", world(*(Neuron(1, i) for i in some)), world(*(Feature(neurons, i) for i in some)), Clean()
    )
    same(by_feature, by_neuron)
    moved(by_feature, clean, 1e-5)


def test_a_circuit_keeps_features_as_it_keeps_neurons(neurons):
    heads = (Head(0, 1), Head(2, 3))
    by_feature = ByFeatures(frozenset({neurons}), True, frozenset({Mlp(1).output}))
    some = (3, 4, 5, 11)
    ours, theirs, none = run(
        "no norm",
        Isolated(at(ALL, *heads, *(Feature(neurons, i) for i in some)), BY_TEMPLATE, True, by_feature),
        Isolated(at(ALL, *heads, *(Neuron(1, i) for i in some)), BY_TEMPLATE, True),
        Isolated(at(ALL, *heads), BY_TEMPLATE, True),
    )
    same(ours, theirs)
    moved(ours, none)


# --- kept circuits ---------------------------------------------------------------------------------


def test_errors_are_kept_or_taken_away(random):
    dictionary, other = random("standard", "attn_out")[0], random("topk", "resid_pre", 2)[0]
    all_heads = frozenset(f"blocks.{layer}.attn.hook_z" for layer in range(3))
    *features, error = every(dictionary)

    def kept(*them: Component, errors: bool, dictionaries: tuple[Dictionary, ...] = (dictionary,)) -> Isolated:
        return Isolated(at(ALL, *them), BY_TEMPLATE, False, ByFeatures(frozenset(dictionaries), errors, all_heads))

    clean, whole, listed, none, without, ablated, both = run(
        "gpt2",
        Clean(),
        kept(*features, errors=False),
        kept(*features, error, errors=True),
        kept(errors=True),
        kept(*features, errors=True),
        Ablated(at(ALL, *(Head(1, index) for index in range(HEADS))), BY_TEMPLATE),
        kept(*features, *every(other), errors=True, dictionaries=(dictionary, other)),
    )
    same(whole, clean)
    same(listed, clean)
    same(none, ablated)  # the mean of all parts is the mean of what heads write
    moved(without, clean)
    moved(without, ablated)
    same(both, without)


# --- what engines are told -----------------------------------------------------------------------------


def test_the_fast_engine_covers_features(random):
    dictionary = random("standard", "mlp_out")[0]
    worlds: list[World] = [
        Ablated(at(S, Feature(dictionary, 1), Feature(dictionary, 2)), ON_X),
        Patched(at(S, Head(0, 1)), frozenset({(Node(ErrorTerm(dictionary), S), "")}), "x", strict=True),
        Isolated(frozenset(), BY_TEMPLATE, True, ByFeatures(frozenset({dictionary}), True, frozenset())),
    ]
    assert all(map(covers_world, worlds))


def test_features_of_which_none_was_asked_at_first(random):
    """One engine, asked for one dictionary after another, and for none in between: its runs of before do for both."""
    first, second = random("standard", "attn_out")[0], random("topk", "attn_out")[0]
    engine = FastEngine(architecture("gpt2"))
    features = [Ablated(at(S, Feature(each, 1), Feature(each, 2), ErrorTerm(each)), ON_X) for each in (first, second)]
    first_one, clean, second_one = (
        Experiment(DATA, world, Metric("logit_diff")) for world in (features[0], Clean(), features[1])
    )
    order = first_one, clean, second_one, first_one
    found = [engine.run(DATA, STREAM, 0, len(STREAM), [each])[each] for each in order]
    by_first, of_clean, by_second = run("gpt2", features[0], Clean(), features[1])
    for ours, theirs in zip(found, (by_first, of_clean, by_second, by_first), strict=True):
        same(ours, theirs)


def test_features_of_a_dictionary_that_is_not_open_are_an_error(random, monkeypatch: pytest.MonkeyPatch):
    """Were they left out, a world would be another one, and its figures wrong."""
    node = Node(Feature(random("standard", "mlp_out")[0], 1), S)
    monkeypatch.setattr(FastEngine, "_open_dictionaries", lambda *_: None)
    into = frozenset({(Node(Head(2, 1), END), "q")})
    worlds: list[World] = [
        Ablated(frozenset({node}), Zero()),
        Patched(at(S, Head(0, 1)), into, "x", False, Intervened((Scale((node,), 0.5, text="halved"),), (None,))),
        Patched(at(S, Head(0, 1)), frozenset({(node, "")}), "x", False),
    ]
    for world in worlds:
        with pytest.raises(LookupError, match="no dictionary is open"):
            FastEngine(architecture("gpt2")).run(DATA, STREAM, 0, 4, [Experiment(DATA, world, Metric("logit_diff"))])


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("kind", "point"), [("standard", "mlp_out"), ("jumprelu", "attn_out"), ("topk", "resid_pre")])
def test_what_is_done_to_features_is_done_once_on_paths_under_it(random, strict, kind, point):
    """A path on which nothing arrives leaves the run under an intervention as it is."""
    dictionary = random(kind, point)[0]
    halved = Scale(tuple(sorted(at(ALL, *every(dictionary)), key=str)), 0.5, text="halved")
    under = Intervened((halved,), (None,))
    nothing_arrives = Patched(at(S, Head(2, 1)), frozenset(), "x", strict, under)
    path, intervened, clean = run("gpt2", nothing_arrives, under, Clean())
    same(path, intervened)
    moved(path, clean, 1e-3)


@pytest.mark.parametrize("kind", TRANSCODERS)
def test_a_transcoder_that_is_edited_keeps_what_it_reads_on_strict_paths(random, kind):
    """What is sent directly is the same under it: without norms the logits are linear in what is sent."""
    halved = Scale(tuple(sorted(at(ALL, *every(random(kind, "mlp_out")[0])[:-1]), key=str)), 0.5, text="halved")
    under = Intervened((halved,), (None,))
    sent, sent_under = (Patched(at(END, Head(0, 1)), frozenset(), "x", True, below) for below in (None, under))
    path, clean, path_under, intervened = run("no norm", sent, Clean(), sent_under, under)
    assert path_under - intervened == pytest.approx(path - clean, abs=0.01)  # differences of numbers of up to thousands
    moved(path, clean, 0.1)
    moved(intervened, clean, 1e-3)


def test_stacks_of_paths_through_the_heads_of_a_layer_keep_within_memory(random):
    """These heads compute again at all tokens of the senders, the receiver stands at one."""
    receivers = frozenset({(Node(Feature(random("standard", "attn_out", 2)[0], 1), END), "")})
    senders = [Node(Head(layer, index), ALL) for layer in (0, 1) for index in range(HEADS)]
    worlds = [Patched(frozenset(some), receivers, "x", False) for n in (1, 2, 3) for some in combinations(senders, n)]
    asked = [Experiment(DATA, world, Metric("logit_diff")) for world in worlds]
    memory, stream = 4 << 20, prompts(40, 0)
    engine = FastEngine(architecture("gpt2"), memory=memory)
    engine.run(DATA, stream, 0, len(stream), asked[:1])
    held = largest(lambda: engine.run(DATA, stream, 0, len(stream), asked))
    assert memory / 4 < held < memory


@pytest.mark.parametrize("memory", [60_000, 200_000, 350_000])
def test_what_a_check_goes_on_with_is_the_same_to_the_bit_without_the_features(random, memory):
    """How many heads make a stack does not depend on features that are asked for beside them, or were before."""
    dictionary = random("standard", "mlp_out")[0]
    places = [
        at(S, Head(layer, index), *more) for layer in range(3) for index in range(HEADS) for more in ((), (Mlp(0),))
    ]
    features, heads = (
        [Experiment(DATA, Ablated(nodes, ON_X), Metric("logit_diff")) for nodes in some]
        for some in ([at(S, each) for each in every(dictionary)], places)
    )
    engine = FastEngine(architecture("gpt2"), memory=memory)
    together = engine.run(DATA, STREAM, 0, len(STREAM), [*features, *heads])
    gone_on = FastEngine(architecture("gpt2"), memory=memory)
    for asked in (gone_on, engine):
        alone = asked.run(DATA, STREAM, 0, len(STREAM), heads)
        assert all(np.array_equal(array(alone[each]), array(together[each])) for each in heads)


def largest(run: Callable[[], object]) -> int:
    """The most bytes of tensors that are held at a time while something runs, beyond those of before, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            run()
    finally:
        torch.set_num_threads(threads)
    kept: Any = profile.profiler  # whose events torch does not type
    taken = [each for each in kept.kineto_results.events() if each.name() == "[memory]"]
    return max(accumulate(each.nbytes() for each in sorted(taken, key=lambda each: each.start_ns())))


def test_costs_are_the_passes_that_are_made(random):
    dictionary = random("standard", "attn_out")[0]
    geometry = architecture("gpt2").geometry
    receivers = frozenset({(Node(Feature(dictionary, 1), S), ""), (Node(Head(2, 1), S), "q"), (Node(Mlp(1), S), "")})
    for into in (receivers, frozenset(list(receivers)[:1]), frozenset()):
        world = Patched(at(S, Head(0, 1)), into, "x", False)
        made: list[int] = []
        engine = PlainEngine(architecture("gpt2"), made.append)
        shared = [Clean(), Corrupted("x")]
        asked = [Experiment(DATA, each, Metric("logit_diff")) for each in [*shared, world]]
        engine.run(DATA, STREAM, 0, len(STREAM), asked[2:])
        assert sum(made) == len(STREAM) * (passes(world, geometry) + 2)


def test_results_depend_on_what_a_dictionary_is_and_not_on_its_name_or_place(tmp_path):
    first, _ = random_dictionary(tmp_path / "one", "standard", "attn_out", 1, name="a1")
    again, _ = random_dictionary(tmp_path / "two", "standard", "attn_out", 1, name="b")
    other, _ = random_dictionary(tmp_path / "three", "standard, b_dec first", "attn_out", 1, name="a1")
    keys = [key_of(Ablated(at(S, Feature(each, 3)), ON_X)) for each in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]
    assert Feature(first, 3) == Feature(again, 3) != Feature(other, 3)


def test_parts_of_what_stands_at_one_point_feed_nothing_there(random):
    attention, stream = random("standard", "attn_out")[0], random("standard", "resid_pre")[0]
    after, transcoder = random("standard", "mlp_out")[0], random("transcoder", "mlp_out")[0]
    other = random("topk", "attn_out")[0]

    def carries(sender: Component, receiver: Component, parallel: bool = False) -> bool:
        return can_carry(sender, receiver, parallel)

    for dictionary in (attention, stream, after, transcoder):
        assert not carries(Feature(dictionary, 1), Feature(dictionary, 2))
        assert not carries(Feature(dictionary, 1), ErrorTerm(dictionary))
    assert not carries(Feature(attention, 1), Feature(other, 2))
    assert not carries(Feature(after, 1), ErrorTerm(transcoder))
    assert carries(Head(1, 2), Feature(attention, 1)) and not carries(Feature(attention, 1), Head(1, 2))
    assert carries(Head(1, 2), Feature(attention, 1), parallel=True)
    assert carries(Feature(stream, 1), Head(1, 2)) and carries(Feature(stream, 1), Feature(attention, 2))
    assert carries(Feature(attention, 1), Mlp(1)) and not carries(Feature(attention, 1), Mlp(1), parallel=True)
    assert carries(Mlp(1), Feature(after, 1)) and carries(Neuron(1, 3), ErrorTerm(transcoder))
    assert carries(Mlp(1), Feature(after, 1), parallel=True)
    assert not carries(Mlp(1), Feature(transcoder, 1)) and carries(Head(1, 1), Feature(transcoder, 1))
    assert not carries(Head(1, 1), Feature(after, 1), parallel=True)
    assert carries(Mlp(0), Feature(stream, 1)) and not carries(Head(1, 1), Feature(stream, 1))
    assert carries(Feature(after, 1), Head(2, 0)) and not carries(Feature(after, 1), Mlp(1))


def test_every_architecture_is_among_those_tried():
    assert {kind for kind, _ in CASES} == set(ARCHITECTURES)
