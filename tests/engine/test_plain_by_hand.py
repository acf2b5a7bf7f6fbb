"""The plain engine against GPT-2 written out in numpy: every world, to 1e-4 relative."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from gpt2_by_hand import GPT2
from ioi_data import IOI
from transformers import GPT2LMHeadModel

from circuitdsl.actions import Ablate, Attend, Scale, Target
from circuitdsl.components import ALL, Embed, Head, Mlp, Node, Position
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.language.circuit import FromTo, Reads, Token
from circuitdsl.measures.experiments import (
    Ablated,
    Attention,
    Clean,
    Copying,
    Corrupted,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    Reading,
    Resample,
    TokenProbability,
    Zero,
)
from circuitdsl.tasks import open_task

LOGIT_DIFF = Metric("logit_diff")
S2, END, IO, S1 = Position("S2"), Position("END"), Position("IO"), Position("S1")
AFTER_S1 = Position("S1", 1)


@pytest.fixture(scope="module")
def by_hand(mini) -> GPT2:
    from circuitdsl.models.folders import find_folder

    return GPT2.of(GPT2LMHeadModel.from_pretrained(find_folder("mini"), dtype="float32"))


@pytest.fixture(scope="module")
def seen(by_hand):
    """What stands at every place of a run of some tokens in which nothing is edited; each run is made once."""
    return cache(lambda tokens: activations(by_hand, tokens))


def run(model, prompts, world, reading: Reading = LOGIT_DIFF, reference=()):
    experiment = Experiment(IOI, world, reading)
    references = references_over(reference or prompts, [experiment])
    result = PlainEngine(model).run(IOI, prompts, 0, len(prompts), [experiment], references)[experiment]
    assert isinstance(result, np.ndarray), result
    return result


def difference(logits, prompt) -> float:
    return logits[prompt.answer] - np.mean(logits[list(prompt.wrong)])


def where(prompt, position: Position) -> list[int]:
    if position == ALL:
        return list(range(len(prompt.tokens)))
    return [index + position.offset for index in prompt.positions[position.name]]


def replaced(nodes, values):
    """An edit that puts ``values[name]`` where the nodes stand, for one prompt."""

    def edit_for(prompt):
        def edit(name, value):
            for node in nodes:
                if isinstance(node.component, Head) and name == f"z {node.component.layer}":
                    value = value.copy()
                    at = where(prompt, node.position)
                    value[at, node.component.index] = values(prompt, name)[at, node.component.index]
                if isinstance(node.component, Mlp) and name == f"mlp {node.component.layer}":
                    value = value.copy()
                    at = where(prompt, node.position)
                    value[at] = values(prompt, name)[at]
            return value

        return edit

    return edit_for


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-4)


def untouched(name, value):
    return value


def activations(by_hand, tokens, edit=untouched):
    by_hand(tokens, edit)
    return dict(by_hand.seen)


def test_clean_and_corrupted(mini, by_hand, ioi_prompts):
    close(run(mini, ioi_prompts, Clean()), [difference(by_hand(p.tokens), p) for p in ioi_prompts])
    expected = [difference(by_hand(p.counterfactuals["s2_io"]), p) for p in ioi_prompts]
    close(run(mini, ioi_prompts, Corrupted("s2_io")), expected)


NODE_SETS = {
    "one head at END": [Node(Head(3, 2), END)],
    "two heads of a layer": [Node(Head(1, 0), S2), Node(Head(1, 5), S2)],
    "a head everywhere": [Node(Head(0, 4), ALL)],
    "an MLP": [Node(Mlp(1), AFTER_S1), Node(Head(2, 1), END)],
}


@pytest.mark.parametrize("nodes", NODE_SETS.values(), ids=NODE_SETS.keys())
def test_ablation_by_zero_and_by_own_counterfactual(mini, by_hand, ioi_prompts, nodes):
    counter = {p.text: activations(by_hand, p.counterfactuals["abc"]) for p in ioi_prompts}
    zero = replaced(nodes, lambda prompt, name: np.zeros_like(counter[prompt.text][name]))
    own = replaced(nodes, lambda prompt, name: counter[prompt.text][name])
    world = Ablated(frozenset(nodes), Zero())
    close(run(mini, ioi_prompts, world), [difference(by_hand(p.tokens, zero(p)), p) for p in ioi_prompts])
    world = Ablated(frozenset(nodes), FromCounterfactual("abc"))
    close(run(mini, ioi_prompts, world), [difference(by_hand(p.tokens, own(p)), p) for p in ioi_prompts])


@pytest.mark.parametrize("name", ["abc", ""])
@pytest.mark.parametrize("by_template", [True, False])
def test_ablation_by_the_mean(mini, by_hand, seen, ioi_prompts, by_template, name):
    """Over the counterfactuals, or over the prompts themselves, of the group of the reference whose turn it is: two
    groups of two prompts of each template, or 11 groups of 10 in a row."""
    nodes = [Node(Head(2, 3), END), Node(Head(1, 1), S2)]
    reference = open_task(IOI.task).draw(mini.tokenizer, 120, seed=8, bos=False).prompts

    def values(prompts, hook):
        return [seen(p.counterfactuals[name] if name else p.tokens)[hook] for p in prompts]

    def mean(prompt, hook):
        number = ioi_prompts.index(prompt)
        if by_template:
            alike = [p for p in reference if p.template == prompt.template]
            first = 2 * sum(other.template == prompt.template for other in ioi_prompts[:number])
            return np.mean(values(alike[first : first + 2], hook), axis=0)
        first = 10 * (number % 11)
        over = np.concatenate(values(reference[first : first + 10], hook)).mean(0)
        return over[None].repeat(len(prompt.tokens), axis=0)

    edit = replaced(nodes, mean)
    world = Ablated(frozenset(nodes), Mean(name, reference=2 if by_template else 10, by_template=by_template))
    expected = [difference(by_hand(p.tokens, edit(p)), p) for p in ioi_prompts]
    close(run(mini, ioi_prompts, world, reference=reference), expected)


def test_isolated_keeps_only_the_circuit(mini, by_hand, ioi_prompts):
    kept = [Node(Head(3, 2), END), Node(Head(3, 6), END), Node(Head(1, 5), S2), Node(Mlp(0), ALL)]
    counter = {p.text: activations(by_hand, p.counterfactuals["abc"]) for p in ioi_prompts}

    def edit_for(prompt, mlps):
        def edit(name, value):
            kind, _, layer = name.partition(" ")
            if kind not in ("z", *(["mlp"] if mlps else [])):
                return value
            new = counter[prompt.text][name].copy()
            for node in kept:
                if isinstance(node.component, Head) and kind == "z" and node.component.layer == int(layer):
                    at = where(prompt, node.position)
                    new[at, node.component.index] = value[at, node.component.index]
                if isinstance(node.component, Mlp) and kind == "mlp" and node.component.layer == int(layer):
                    new = value
            return new

        return edit

    for mlps in (False, True):
        world = Isolated(frozenset(kept), FromCounterfactual("abc"), mlps)
        expected = [difference(by_hand(p.tokens, edit_for(p, mlps)), p) for p in ioi_prompts]
        close(run(mini, ioi_prompts, world), expected)


PATHS = {
    "head to queries": ([Node(Head(1, 5), S2)], [(Node(Head(3, 2), END), "q"), (Node(Head(2, 6), END), "q")]),
    "heads to values": ([Node(Head(0, 1), S2), Node(Head(0, 7), S2)], [(Node(Head(2, 4), S2), "v")]),
    "head to keys": ([Node(Head(0, 3), AFTER_S1)], [(Node(Head(1, 5), AFTER_S1), "k")]),
    "head to an MLP": ([Node(Head(1, 2), END)], [(Node(Mlp(3), END), "")]),
    "MLP to logits": ([Node(Mlp(2), END)], []),
    "embedding to keys": ([Node(Embed(), S1)], [(Node(Head(2, 2), S1), "k")]),
    "heads to logits": ([Node(Head(2, 1), END), Node(Head(3, 2), END)], []),
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("senders", "receivers"), PATHS.values(), ids=PATHS.keys())
def test_path_patching(mini, by_hand, ioi_prompts, senders, receivers, strict):
    ioi_prompts = ioi_prompts[::4]  # four passes by hand for each
    world = Patched(frozenset(senders), frozenset(receivers), "abc", strict)
    expected = [path_patched(by_hand, p, senders, receivers, strict) for p in ioi_prompts]
    close(run(mini, ioi_prompts, world), expected)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("senders", "receivers"), PATHS.values(), ids=PATHS.keys())
def test_path_patching_under_an_intervention(mini, by_hand, ioi_prompts, senders, receivers, strict):
    """A head less, another one doubled, an MLP halved: all of it is in force in the run that is patched."""
    ioi_prompts = ioi_prompts[::6]
    less, twice, half = Node(Head(0, 3), AFTER_S1), Node(Head(2, 5), END), Node(Mlp(2), ALL)
    actions = (
        Ablate((less,), "zero", text="less"),
        Scale((twice,), 2.0, text="twice"),
        Scale((half,), 0.5, text="half"),
    )

    def intervention(prompt):
        def edit(name, value):
            if name in ("z 0", "z 2"):
                node, factor = (less, 0.0) if name == "z 0" else (twice, 2.0)
                assert isinstance(node.component, Head)
                value = value.copy()
                value[where(prompt, node.position), node.component.index] *= factor
            return value * 0.5 if name == "mlp 2" else value

        return edit

    under = Intervened(actions, (Zero(), None, None))
    world = Patched(frozenset(senders), frozenset(receivers), "abc", strict, under)
    expected = [path_patched(by_hand, p, senders, receivers, strict, intervention(p)) for p in ioi_prompts]
    close(run(mini, ioi_prompts, world), expected)


def path_patched(model: GPT2, prompt, senders, receivers, strict: bool, intervention=untouched) -> float:
    """The definition, step by step, for one prompt."""
    base = activations(model, prompt.tokens, intervention)
    corrupted = activations(model, prompt.counterfactuals["abc"])

    def on_the_way(name, value):
        kind = name.split()[0]
        value = intervention(name, value)
        if kind == "z" or (strict and kind in ("mlp", "scale")):
            value = base[name].copy()
        for node in senders:
            at = where(prompt, node.position)
            component = node.component
            if isinstance(component, Head) and name == f"z {component.layer}":
                value[at, component.index] = corrupted[name][at, component.index]
            if isinstance(component, Mlp) and name == f"mlp {component.layer}":
                value = value.copy()
                value[at] = corrupted[name][at]
            if isinstance(component, Embed) and name == "embed":
                value = value.copy()
                value[at] = corrupted[name][at]
        return value

    logits = model(prompt.tokens, on_the_way)
    arrived = dict(model.seen)
    if not receivers:
        return difference(logits, prompt)

    def at_receivers(name, value):
        value = intervention(name, value)
        for node, which in receivers:
            at = where(prompt, node.position)
            layer = node.component.layer
            if which and name == f"{which} {layer}":
                value = value.copy()
                value[at, node.component.index] = arrived[name][at, node.component.index]
            if not which and name == f"mlp_in {layer}":
                value = value.copy()
                value[at] = arrived[name][at]
        return value

    return difference(model(prompt.tokens, at_receivers), prompt)


def test_resampling_takes_another_prompt_of_the_template(mini, by_hand, ioi_prompts):
    nodes = [Node(Head(3, 2), END)]
    found = run(mini, ioi_prompts, Ablated(frozenset(nodes), Resample("abc", 2, seed=0)))
    for value, prompt in zip(found, ioi_prompts, strict=True):
        others = [p for p in ioi_prompts if p.template == prompt.template and p != prompt]
        possible = []
        for other in others:
            z = activations(by_hand, other.counterfactuals["abc"])
            edit = replaced(nodes, lambda p, name, z=z: z[name])
            possible.append(difference(by_hand(prompt.tokens, edit(prompt)), prompt))
        assert np.isclose(possible, value, rtol=1e-4, atol=2e-4).any()


def test_attention_probability_and_copying(mini, by_hand, ioi_prompts):
    where_to = FromTo(END, IO)
    found = run(mini, ioi_prompts, Clean(), Attention(Head(3, 2), where_to))
    expected = []
    for p in ioi_prompts:
        pattern = activations(by_hand, p.tokens)["pattern 3"]
        expected.append(pattern[2, p.positions["END"][0], p.positions["IO"][0]])
    close(found, expected)
    found = run(mini, ioi_prompts, Clean(), TokenProbability(Token(IO)))
    logits = np.array([by_hand(p.tokens) for p in ioi_prompts])
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    close(found, [row[p.tokens[p.positions["IO"][0]]] for row, p in zip(probabilities, ioi_prompts, strict=True)])
    for negated in (False, True):
        found = run(mini, ioi_prompts, Clean(), Copying(Head(3, 2), Reads(IO, Token(IO)), negated))
        assert list(found) == [copies(by_hand, p, 3, 2, negated) for p in ioi_prompts]


def copies(model: GPT2, prompt, layer, head, negated) -> float:
    """Through ln_1, W_V and b_V, W_O, ln_f and the unembedding, by hand."""
    at = prompt.positions["IO"][0]
    seen = activations(model, prompt.tokens)
    w = model.weights
    residual = seen["embed"][at] + w["transformer.wpe.weight"][at]
    z = seen["z 0"].reshape(len(prompt.tokens), -1)[at]
    residual = residual + z @ w["transformer.h.0.attn.c_proj.weight"] + w["transformer.h.0.attn.c_proj.bias"]
    residual = residual + seen["mlp 0"][at]
    block = f"transformer.h.{layer}."
    width = len(residual)
    size = width // model.heads
    columns = slice(2 * width + head * size, 2 * width + (head + 1) * size)
    keep = lambda name, value: value  # noqa: E731
    normed = model._norm(residual[None], block + "ln_1.", "x", keep)[0]
    value = normed @ w[block + "attn.c_attn.weight"][:, columns] + w[block + "attn.c_attn.bias"][columns]
    written = value @ w[block + "attn.c_proj.weight"][head * size : (head + 1) * size]
    logits = model._norm(written[None], "transformer.ln_f.", "x", keep)[0] @ w["lm_head.weight"].T
    top = np.argsort(logits if negated else -logits)[:5]
    return float(prompt.tokens[at] in top)


NAMES = Position("NAMES")  # IO and both tokens of S
SHARED = (Target(S2, 0.5), Target(IO, 0.2), Target(NAMES, 0.3))


@pytest.mark.parametrize(
    ("targets", "row"), [((Target(S2),), {"S2": 1}), (SHARED, {"S2": 0.5 + 0.1, "IO": 0.2 + 0.1, "S1": 0.1})]
)
def test_interventions(mini, by_hand, ioi_prompts, targets, row):
    """A row of attention is what its targets say: where two name one token, the sum of their shares."""
    heads = (Node(Head(3, 2), END), Node(Head(2, 1), END))
    attend = Attend(heads, targets)
    together = ("IO", "S1", "S2")
    ioi_prompts = tuple(
        replace(p, positions={**p.positions, "NAMES": tuple(p.positions[name][0] for name in together)})
        for p in ioi_prompts
    )

    def edit_for(prompt, factor):
        def edit(name, value):
            for node in heads:
                head = node.component
                assert isinstance(head, Head)
                if name == f"pattern {head.layer}":
                    value[head.index, prompt.positions["END"][0]] = 0
                    for place, share in row.items():
                        value[head.index, prompt.positions["END"][0], prompt.positions[place][0]] = share
            if factor is not None and name == "z 1":
                value[where(prompt, S2), 5] *= factor
            return value

        return edit

    world = Intervened((attend,), (None,))
    close(run(mini, ioi_prompts, world), [difference(by_hand(p.tokens, edit_for(p, None)), p) for p in ioi_prompts])
    scale = Scale((Node(Head(1, 5), S2),), -2.0)
    world = Intervened((attend, scale), (None, None))
    close(run(mini, ioi_prompts, world), [difference(by_hand(p.tokens, edit_for(p, -2.0)), p) for p in ioi_prompts])


def test_probability_diff_sums_over_all_right_and_all_wrong_answers(mini, by_hand, ioi_prompts):
    several = [replace(p, right=(p.answer, p.tokens[0]), wrong=(*p.wrong, p.tokens[1])) for p in ioi_prompts[:20]]

    def expected(prompt):
        logits = by_hand(prompt.tokens)
        probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        return probabilities[list(prompt.right)].sum() - probabilities[list(prompt.wrong)].sum()

    close(run(mini, several, Clean(), Metric("probability_diff")), [expected(p) for p in several])
    one = run(mini, ioi_prompts, Clean(), Metric("probability"))
    wrong = [
        np.exp(x - x.max())[p.wrong[0]] / np.exp(x - x.max()).sum() for p in ioi_prompts for x in [by_hand(p.tokens)]
    ]
    close(run(mini, ioi_prompts, Clean(), Metric("probability_diff")), one - wrong)


@pytest.mark.parametrize("name", ["accuracy", "accuracy among options"])
def test_any_right_answer_on_top_counts(mini, by_hand, ioi_prompts, name):
    top = [int(by_hand(p.tokens).argmax()) for p in ioi_prompts]
    wanted = [replace(p, right=(p.answer, best)) for p, best in zip(ioi_prompts, top, strict=True)]
    unwanted = [
        replace(p, answer=p.tokens[0], wrong=(best,), options=(best,)) for p, best in zip(ioi_prompts, top, strict=True)
    ]
    assert run(mini, wanted, Clean(), Metric(name)).tolist() == [1.0] * len(wanted)
    assert run(mini, unwanted, Clean(), Metric(name)).tolist() == [0.0] * len(wanted)
