"""The engines agree with two computations that share no code with it: matrix algebra, and edited weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import accumulate

import pytest
import torch
from planted_algebra import Algebra, Measuring
from planted_bench import REFERENCE, bench, drawn, reference_of
from transformer_lens.model_bridge import TransformerBridge

from circuitdsl import api
from circuitdsl.components import Head, Node, Position
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models import open_model
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.truth import TRUTHS, TrueRole, Truth

AGAINST = {"ioi": "abc", "colored_objects": "other_query", "induction": "other"}
TASK = {"ioi": "ioi", "colored_objects": "colored_objects(shots: 0)", "induction": "induction"}
FEW = 2
REPEATED = {"ioi": 6, "colored_objects": 12, "induction": 6}  # of Colored Objects some templates more than once
NAMES = [f"{truth.model}-{truth.task}" for truth in TRUTHS]


@cache
def measuring(truth: Truth, count: int) -> Measuring:
    prompts = drawn(truth.model, truth.task, count)
    against = AGAINST[truth.task]
    reference = reference_of(truth.model, truth.task, against)
    return Measuring(Algebra(PLANTED[truth.model]()), prompts, against, reference)


def circuit(truth: Truth, count: int, claims: str, method: str = "") -> Circuit:
    roles = "\n".join(
        f"role {role.name} {{ {'  '.join(f'{node.component} at {node.position}' for node in role.nodes)} }}"
        for role in truth.roles
    )
    text = f"""circuit c {{
        model {truth.model} task {TASK[truth.task]}
        method {{ against {AGAINST[truth.task]} prompts {count} to {count}  reference {REFERENCE} {method} }}
        {roles}
        {claims}
    }}"""
    return resolve_text(text, "c.circuit", api.environment()).circuits[0]


def agree(truth: Truth, count: int, expected: dict[str, float], method: str = "") -> None:
    """Whether both engines, on so many prompts, find what the other computation found."""
    made = circuit(truth, count, "\n".join(f"expect {name} {at_least(name)}" for name in expected), method)
    for engine in ("plain", "fast"):
        outcomes = bench(engine).outcomes(made, [claim for claim in made.claims if claim.kind == "expect"])
        for (name, value), outcome in zip(expected.items(), outcomes, strict=True):
            assert outcome.estimate.value == pytest.approx(value, rel=1e-4, abs=1e-4), (engine, name, outcome.note)


def at_least(measurement: str) -> str:
    """A bound in the measurement's unit; which one does not matter here."""
    return ">= -1000" if measurement.startswith(("logit_diff", "isolated")) else ">= -1000000%"


# --- path patching ---------------------------------------------------------------------------------------


def possible_paths(truth: Truth) -> Iterator[tuple[TrueRole, TrueRole, str]]:
    for sender in truth.roles:
        if (truth.task, sender.name) == ("colored_objects", "previous_token"):
            continue  # before QUERY both prompts are the same
        for receiver in truth.roles:
            if all(s.layer < r.layer for s in sender.heads for r in receiver.heads):
                yield from ((sender, receiver, each) for each in "qkv")


def receivers_of(sender: TrueRole, receiver: TrueRole, each: str) -> list[tuple[Node, str]]:
    """Queries are read where the receiver stands, keys and values where the sender does."""
    positions = receiver.positions if each == "q" else sender.positions
    return [(Node(head, position), each) for head in receiver.heads for position in positions]


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_path_patching_between_roles(truth: Truth):
    expected = {
        f"effect({sender.name} -> {receiver.name}.{each})": measuring(truth, FEW).effect(
            sender.nodes, receivers_of(sender, receiver, each)
        )
        for sender, receiver, each in possible_paths(truth)
    }
    assert sum(abs(value) > 0.01 for value in expected.values()) >= 2
    agree(truth, FEW, expected)


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_path_patching_to_the_logits(truth: Truth):
    end = Position("END")
    heads = [head for role in truth.roles for head in role.heads if end in role.positions]
    nodes = [Node(head, end) for head in (*heads, *truth.decoys)]
    agree(truth, FEW, {f"effect({{ {node} }} -> logits)": measuring(truth, FEW).effect([node], []) for node in nodes})


# --- ablation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_knockout_faithfulness_minimality_and_growing_sets(truth: Truth):
    count = REPEATED[truth.task]
    algebra = measuring(truth, count)
    roles = {role.name: role.nodes for role in truth.roles}
    first = truth.roles[-2].nodes[0]
    expected = {f"knockout({name})": algebra.knockout(nodes) for name, nodes in roles.items()}
    expected["faithfulness"] = algebra.faithfulness(truth.nodes)
    grown = list(accumulate(roles.items(), lambda before, role: (f"{before[0]} {role[0]}", (*before[1], *role[1]))))
    expected |= {f"isolated({{ {names} }})": algebra.only(nodes) for names, nodes in grown}
    expected["isolated(embed)"] = algebra.only(())
    expected["logit_diff"] = algebra.metric()
    expected[f"minimality({{ {first} }})"] = algebra.minimality(first, truth.nodes, roles.values())
    agree(truth, count, expected)


# --- weights -----------------------------------------------------------------------------------------------


@cache
def editable(model: str) -> tuple[TransformerBridge, dict[str, torch.Tensor]]:
    """The model, and a copy of its weights as they were."""
    bridge = open_model(model).bridge
    return bridge, {name: weight.detach().clone() for name, weight in bridge.named_parameters()}


def metric_without(truth: Truth, silenced: set[Head]) -> float:
    """F of the model with the output weights of some heads set to zero, by plain calls of the model."""
    bridge, original = editable(truth.model)
    d_head = PLANTED[truth.model]().geometry.d_head
    weights = dict(bridge.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(original[name])
        for head in silenced:
            name = f"layers.{head.layer}._original_component.attn._original_component.o._original_component.weight"
            weights[name][:, head.index * d_head : (head.index + 1) * d_head] = 0
        estimates = []
        for prompt in drawn(truth.model, truth.task, FEW):
            logits = bridge(torch.tensor([prompt.tokens]))[0, -1]
            estimates.append(float(logits[prompt.answer] - logits[list(prompt.wrong)].mean()))
    return sum(estimates) / len(estimates)


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_zero_ablation_is_what_editing_weights_gives(truth: Truth):
    everything = set(PLANTED[truth.model]().heads)
    kept = {head for role in truth.roles for head in role.heads}
    whole, nothing = metric_without(truth, set()), metric_without(truth, everything)
    expected = {"faithfulness": (metric_without(truth, everything - kept) - nothing) / (whole - nothing)}
    for role in truth.roles:
        heads = " ".join(f"{head} at all" for head in role.heads)
        expected[f"knockout({{ {heads} }})"] = (metric_without(truth, set(role.heads)) - whole) / abs(whole)
    agree(truth, FEW, expected, "ablate zero positions all")
