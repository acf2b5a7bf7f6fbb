"""``python -m benchmarks.draft_cost``: what a draft costs in a model of GPT-2 small's shape.

On random weights nothing enters, and a draft ends with its first stage. So a relay, of which everything is known
(``benchmarks.truth.relay``), stands in a model of that shape with small random weights beside it, and is drafted. What
the draft lists is counted against the truth.

Beside it, on the same prompts, with TransformerLens alone:

* the published loop (Wang et al. 2022): every sender of every stage into every input, one after another, each in two
  hooked passes, into the logits in one. Of these some are timed, spread over the stages; the rest is a product;
* ACDC (Conmy et al. 2023): one pass an edge, back from the logits. The graph of all heads' queries, keys and values, of
  MLPs and logits has so many edges; those that lead into what the draft found are the fewest that it asks, if it finds
  the same. A pass of the model is timed, without hooks; the rest is a product. It has no positions, no intervals and no
  second half of prompts.

Seconds are of CPU time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import circuitdsl as cd
from benchmarks.draft import Results, count
from benchmarks.hooks import Hook, catching
from benchmarks.models import SHAPES, Shape
from benchmarks.tables import table
from benchmarks.truth.relay import COUNTERFACTUAL, Relay, shaped_relay
from circuitdsl.components import END, Geometry, Head, Mlp, Node, all_heads
from circuitdsl.outcome import DraftReport, DraftRole
from circuitdsl.outcome.draft import Into
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import Prompt

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

STAGES = 4
TIMED = 8


@dataclass(frozen=True)
class Way:
    """What a way of finding a circuit takes: ``passes`` over all prompts and CPU seconds."""

    name: str
    asked: str
    passes: float
    seconds: float


def geometry_of(name: str, shape: Shape) -> Geometry:
    d_head = shape.width // shape.heads
    return Geometry(
        name, shape.layers, shape.heads, shape.heads, shape.width, d_head, 4 * shape.width, shape.vocabulary, 1024
    )


# --- the published loop ------------------------------------------------------------------------------


@dataclass
class Loop:
    """Path patching one sender at a time, on a model with hooks, over all prompts at once."""

    bridge: TransformerBridge
    prompts: Sequence[Prompt]
    counterfactual: str

    def __post_init__(self) -> None:
        self.tokens = _padded([prompt.tokens for prompt in self.prompts])
        layers = range(self.bridge.cfg.n_layers)
        self.heads = [f"blocks.{layer}.attn.hook_z" for layer in layers]
        outputs = [*self.heads, *(f"blocks.{layer}.hook_mlp_out" for layer in layers)]
        others = _padded([prompt.counterfactuals[self.counterfactual] for prompt in self.prompts])
        self.clean, self.other = dict[str, Tensor](), dict[str, Tensor]()
        self.run(self.tokens, catching(outputs, self.clean))
        self.run(others, catching(outputs, self.other))

    def run(self, tokens: Tensor, hooks: Sequence[tuple[str, Hook]] = ()) -> Tensor:
        """One forward pass: logits at END [prompts, vocabulary]."""
        with torch.inference_mode():
            logits = self.bridge.run_with_hooks(tokens, fwd_hooks=list(hooks), return_type="logits")
        return logits[self._at(Node(Head(0, 0), END))]

    def patch(self, sender: Node, receivers: Sequence[tuple[Node, str]]) -> Tensor:
        """Heads keep their output but for the sender, and what reaches the receivers then is put there: logits at END,
        [prompts, vocabulary]."""
        frozen = [(name, _put(self.clean[name], ...)) for name in self.heads]
        name, column = _output(sender)
        sent = (name, _put(self.other[name], (*self._at(sender), *column)))
        caught: dict[str, Tensor] = {}
        logits = self.run(self.tokens, [*frozen, sent, *catching({_input(*each) for each in receivers}, caught)])
        if not receivers:
            return logits
        arriving = [(_input(*each), (*self._at(each[0]), *_column(each[0]))) for each in receivers]
        return self.run(self.tokens, [(name, _put(caught[name], place)) for name, place in arriving])

    def _at(self, node: Node) -> tuple[Tensor, Tensor]:
        found = [prompt.positions[node.position.name][0] + node.position.offset for prompt in self.prompts]
        return torch.arange(len(found)), torch.tensor(found)


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def _put(values: Tensor, place: Any) -> Hook:
    """A hook that puts values in at a place."""

    def put(x: Tensor, hook: Any) -> Tensor:
        x = x.clone()
        x[place] = values[place]
        return x

    return put


def _column(node: Node) -> tuple[int, ...]:
    return (node.component.index,) if isinstance(node.component, Head) else ()


def _output(node: Node) -> tuple[str, tuple[int, ...]]:
    layer = node.component.layer
    return f"blocks.{layer}.attn.hook_z" if isinstance(
        node.component, Head
    ) else f"blocks.{layer}.hook_mlp_out", _column(node)


def _input(node: Node, letter: str) -> str:
    layer = node.component.layer
    return f"blocks.{layer}.attn.hook_{letter}" if letter else f"blocks.{layer}.hook_mlp_in"


def timed_loop(loop: Loop, report: DraftReport, geometry: Geometry) -> float:
    """CPU seconds of one patch, on average over some that are spread over inputs and senders of the draft's stages."""
    roles = {role.name: role for role in report.roles}
    inputs = [into for stage in report.stages for into in stage.into]
    chosen = [inputs[number * len(inputs) // TIMED] for number in range(TIMED)]
    patches = [(number, into.place or END, _receivers(into, roles)) for number, into in enumerate(chosen)]
    started, done = time.process_time(), 0
    for number, place, receivers in patches:
        first = min((node.component.layer for node, _ in receivers), default=geometry.n_layers)
        if senders := [head for head in all_heads(geometry) if head.layer < first]:
            loop.patch(Node(senders[number * 37 % len(senders)], place), receivers)
            done += 1
    return (time.process_time() - started) / done


def _receivers(into: Into, roles: Mapping[str, DraftRole]) -> list[tuple[Node, str]]:
    if into.place is None:
        return []
    return [(Node(node.component, into.place), into.input) for node in roles[into.role].nodes]


# --- ACDC --------------------------------------------------------------------------------------------


def edges_into(component: Head | Mlp | None, geometry: Geometry) -> int:
    """The edges of ACDC's graph into a head's queries, keys and values, into an MLP, or into the logits (None)."""
    before = 1 + (geometry.n_layers if component is None else component.layer) * (geometry.n_heads + 1)
    match component:
        case Head():
            return 3 * before
        case Mlp():
            return before + geometry.n_heads
        case None:
            return before


def all_edges(geometry: Geometry) -> int:
    """
    >>> all_edges(geometry_of("small", SHAPES["small"]))
    32491
    """
    components = [*all_heads(geometry), *map(Mlp, range(geometry.n_layers)), None]
    return sum(edges_into(each, geometry) for each in components)


# --- all of it ---------------------------------------------------------------------------------------


def ways(relay: Relay, prompts: int, folder: Path, results: Results) -> Iterator[Way]:
    """What each takes, as it is known."""
    bridge = relay.build()
    bridge.requires_grad_(False)
    file = folder / "relay.jsonl"
    file.write_text(relay.prompts(2 * prompts, 0), encoding="utf-8")
    started = time.process_time()
    report = cd.draft(
        str(file), model=bridge, output=folder / "draft.circuit", prompts=prompts, unexplained=False, store=False
    )
    if report.withheld:
        raise SystemExit(f"nothing was drafted: {report.withheld}")
    count(relay, report, 0, results)
    senders = sum(stage.senders for stage in report.stages)
    yield Way("draft, judged on other prompts", f"{senders} senders", report.cost.passes, time.process_time() - started)
    drawn = open_task(report.circuit.task).draw(bridge.tokenizer, prompts, 0, False)
    loop, geometry = Loop(bridge, drawn.prompts, COUNTERFACTUAL), relay.geometry
    each = timed_loop(loop, report, geometry)
    asked = 2 * senders - report.stages[0].senders
    yield Way("the published loop (computed)", f"{senders} senders", asked, each * senders)
    repeated = 5
    started = time.process_time()
    for _ in range(repeated):
        loop.run(loop.tokens)
    a_pass = (time.process_time() - started) / repeated
    found = {node.component for role in report.roles for node in role.nodes}
    fewest = sum(edges_into(each, geometry) for each in (*found, None) if each is None or isinstance(each, Head | Mlp))
    whole = all_edges(geometry)
    yield Way("ACDC, at least (computed)", f"{fewest} edges", fewest, fewest * a_pass)
    yield Way("ACDC, all edges (computed)", f"{whole} edges", whole, whole * a_pass)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.draft_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small", help="whose shape; default: GPT-2 small's")
    parser.add_argument("--prompts", type=int, default=60, help="prompts of either half; default: 60")
    parser.add_argument("--seed", type=int, default=0, help="of the relay")
    parser.add_argument("--vocabulary", type=int, help="so many tokens in place of the shape's")
    asked = parser.parse_args(arguments)
    shape = SHAPES[asked.shape]
    shape = replace(shape, vocabulary=asked.vocabulary or shape.vocabulary)
    relay = shaped_relay(asked.seed, STAGES, geometry_of(asked.shape, shape))
    results = Results()
    print(f"{asked.prompts} prompts a half, load {os.getloadavg()[0]:.1f} at the start\n")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        first: float | None = None
        for way in ways(relay, asked.prompts, Path(folder), results):
            first = first or way.seconds
            rows.append(
                [way.name, way.asked, f"{way.passes:,.0f}", f"{way.seconds:,.0f}", f"{way.seconds / first:.1f}"]
            )
    print(table(("", "asked", "forward passes", "CPU s", "CPU s / draft"), rows))
    for name, found in (("nodes", results.nodes), ("edges", results.edges)):
        print(
            f"{name}: {found.found} of {found.matter} that carry twice the floor; {found.false} of {found.listed} false"
        )


if __name__ == "__main__":
    main()
