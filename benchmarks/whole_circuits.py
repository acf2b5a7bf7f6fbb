"""``python -m benchmarks.whole_circuits``: circuits of edges judged as a whole, beside the tools that do the same.

A circuit keeps what its edges carry, and every other edge carries the counterfactual's: EAP-IG's ``evaluate_graph``
(Hanna et al. 2024), auto-circuit's ``run_circuits`` (Miller et al. 2024), and our world ``EdgesKept``. All get the
same circuits of one model of random weights: for each size so many nodes, drawn at random, with all edges among them,
from the embeddings and to the logits; smaller ones are parts of larger ones. Figures are compared, prompt by prompt.

Costs are CPU seconds for running all circuits, once they are made, over those of a plain forward pass of the same
prompts in the same process. The peers need a Python with TransformerLens 2, as those of ``python -m benchmarks`` do.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.cases import LOGIT_DIFF
from benchmarks.models import COUNTERFACTUAL, DATA, SHAPES, model_of, prompts_of
from benchmarks.peers import Missing, Peers, asked_of
from benchmarks.tables import table
from benchmarks.timing import clock_of, forward_time
from circuitdsl.components import ALL, Component, Embed, Geometry, Head, Mlp, Node
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.measures.experiments import EdgesKept, Experiment, NodeEdge
from circuitdsl.measures.measurement import Failure

LENGTH = 16  # tokens of a prompt
OURS = "circuitdsl"
PEERS = (("EAP-IG's evaluate_graph", "evaluate_graph", "src/eap"), ("auto-circuit", "auto_circuit", "auto_circuit"))


@dataclass(frozen=True)
class Circuit:
    """So many nodes, and all edges among them: (sender, receiver, input), the receiver None for the logits."""

    nodes: int
    edges: tuple[tuple[Component, Component | None, str], ...]

    @property
    def world(self) -> EdgesKept:
        def placed(sender: Component, receiver: Component | None, which: str) -> NodeEdge:
            return NodeEdge(Node(sender, ALL), None if receiver is None else Node(receiver, ALL), which)

        return EdgesKept(frozenset(placed(*edge) for edge in self.edges), COUNTERFACTUAL)


@dataclass(frozen=True)
class Told:
    """What one tool took, in plain forward passes, and its figures [circuits, prompts]; or why there are none."""

    tool: str
    cost: float | None
    figures: np.ndarray | None
    reason: str = ""


def circuits(geometry: Geometry, sizes: Sequence[int], seed: int = 0) -> list[Circuit]:
    """Circuits of these numbers of heads and MLPs, each a part of the next."""
    layers = range(geometry.n_layers)
    nodes: list[Component] = [Head(layer, index) for layer in layers for index in range(geometry.n_heads)]
    nodes += [Mlp(layer) for layer in layers]
    random.Random(seed).shuffle(nodes)
    return [Circuit(size, tuple(_edges([Embed(), *nodes[:size]]))) for size in sorted(sizes)]


def _edges(nodes: Sequence[Component]) -> Iterator[tuple[Component, Component | None, str]]:
    for sender in nodes:
        for receiver in nodes:
            if not isinstance(receiver, Embed) and _before(sender, receiver):
                yield from ((sender, receiver, which) for which in ("qkv" if isinstance(receiver, Head) else ("",)))
        yield sender, None, ""


def _before(sender: Component, receiver: Component) -> bool:
    """Whether the stream that one reads has what the other writes: of a layer the heads write first."""
    if isinstance(sender, Embed):
        return True
    order = (sender.layer, isinstance(sender, Mlp)), (receiver.layer, isinstance(receiver, Mlp))
    return order[0] < order[1]


def measured(shape: str, few: int, sizes: Sequence[int], peers: Peers, auto_circuit: Path | None) -> list[Told]:
    """Ours, by the default engine, then the peers'."""
    model, prompts = model_of(shape), prompts_of(few, LENGTH, SHAPES[shape].vocabulary)
    some = circuits(model.geometry, sizes)
    asked = [Experiment(DATA, circuit.world, LOGIT_DIFF) for circuit in some]
    forward = forward_time(model, prompts)
    engine = FastEngine(model)
    seconds, results = clock_of(model).timed(lambda: engine.run(DATA, prompts, 0, few, asked))
    told = [Told(OURS, seconds / forward, np.stack([_read(results[each]) for each in asked]))]
    level = {edge: at for at, each in reversed(list(enumerate(some))) for edge in each.edges}
    order = {
        "circuits": len(some),
        "edges": [[_name(sender), _name(receiver), which, at] for (sender, receiver, which), at in level.items()],
    }
    for (name, peer, inside), source in zip(PEERS, (peers.eap_ig, auto_circuit), strict=True):
        answer = asked_of(peer, source, inside, shape, prompts, order, peers)
        if isinstance(answer, Missing):
            told.append(Told(name, None, None, answer.reason))
        else:
            told.append(Told(name, answer["seconds"] / answer["forward"], np.array(answer["figures"])))
    return told


def _read(result: np.ndarray | Failure) -> np.ndarray:
    if isinstance(result, Failure):
        raise AssertionError(result.message)
    return result


def _name(node: Component | None) -> list[int] | str:
    """As the peers' process takes it: a head by layer and number, an MLP by layer."""
    if node is None:
        return "logits"
    if isinstance(node, Head):
        return [node.layer, node.index]
    return [node.layer] if isinstance(node, Mlp) else "input"


def rows(told: Sequence[Told]) -> Iterator[tuple[str, ...]]:
    """A line a tool: its cost, over ours, and how far its figures are from ours, over the largest of these."""
    (ours,) = (each for each in told if each.tool == OURS)
    for each in told:
        if each.cost is None or each.figures is None:
            yield each.tool, each.reason, "", ""
            continue
        assert ours.cost is not None
        assert ours.figures is not None
        apart = abs(each.figures - ours.figures).max() / abs(ours.figures).max()
        yield each.tool, f"{each.cost:.1f}", f"{each.cost / ours.cost:.1f}", f"{apart:.1e}"


def main(arguments: Sequence[str] | None = None) -> None:
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_circuits", description=about)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--nodes", default="5,20,60", help="heads and MLPs of each circuit, comma-separated")
    parser.add_argument("--peers-python", type=Path, help="a Python with TransformerLens 2")
    parser.add_argument("--eap-ig", type=Path, help="hannamw/EAP-IG: folder or bare repository")
    parser.add_argument("--auto-circuit", type=Path, help="UFO-101/auto-circuit: folder or bare repository")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    sizes = [int(size) for size in asked.nodes.split(",")]
    peers = Peers(asked.peers_python, None, asked.eap_ig)
    told = measured(asked.shape, asked.prompts, sizes, peers, asked.auto_circuit)
    edges = [len(each.edges) for each in circuits(model_of(asked.shape).geometry, sizes)]
    print(f"{asked.shape}-shaped, {asked.prompts} prompts; circuits of {edges} edges\n")
    print(table(("tool", "forward passes", "of ours", "difference"), list(rows(told))))


if __name__ == "__main__":
    main()
