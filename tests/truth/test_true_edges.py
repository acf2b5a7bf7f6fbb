"""The planted edges, and nothing else, keep all of what a planted model does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from planted_bench import bench, resolved

from circuitdsl.models.planted.truth import TRUTHS, Truth

LEAST = 0.99
"""Of the sleeping heads and of the murmur that nothing reads a few thousandths are left."""


def edges(truth: Truth) -> Iterator[str]:
    """The planted edges between single heads, and those from the embedding to each of them."""
    for role in truth.roles:
        yield from (f"edge embed -> {head} at {position}" for head in role.heads for position in role.positions)
    for edge in truth.edges:
        for node in truth.role(edge.sender).nodes:
            sender = f"{node.component} at {node.position}"
            if edge.receiver == "logits":
                yield f"edge {sender} -> logits"
                continue
            receiver = truth.role(edge.receiver)
            places = f" at {receiver.positions[0]}" if edge.inputs == "q" else ""
            yield from (f"edge {sender} -> {head}.{edge.inputs}{places}" for head in receiver.heads)


def faithfulness(truth: Truth, lines: list[str]) -> float:
    body = "\n".join(lines)
    text = f"circuit c {{\nmodel {truth.model}\ntask {truth.task}\n{body}\nexpect faithfulness >= 50%\n}}\n"
    outcome = bench().outcome(resolved(text), "expect faithfulness >= 50%")
    assert outcome.estimate.value is not None, outcome.note
    return outcome.estimate.value


def named(truth: Truth) -> str:
    return f"{truth.model}-{truth.task}"


@pytest.mark.parametrize("truth", TRUTHS, ids=named)
def test_all_planted_edges_keep_everything(truth: Truth):
    assert faithfulness(truth, list(edges(truth))) == pytest.approx(1, abs=1 - LEAST)


@pytest.mark.parametrize("truth", TRUTHS, ids=named)
@pytest.mark.parametrize("missing", ["edge embed ->", "-> logits"])
def test_edges_that_lead_from_nowhere_or_to_nowhere_keep_nothing(truth: Truth, missing: str):
    assert faithfulness(truth, [line for line in edges(truth) if missing not in line]) == pytest.approx(0, abs=1e-6)


def test_one_planted_edge_less_is_missed():
    """What the induction heads' keys read is how they find the place: without it they are lost."""
    (truth,) = (each for each in TRUTHS if each.task == "induction")
    assert faithfulness(truth, [line for line in edges(truth) if not line.endswith(".k")]) < 0.2
