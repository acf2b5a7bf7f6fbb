"""A circuit's claims as they are measured with TransformerLens alone: a hooked forward pass an experiment.

    python -m benchmarks.by_hand specs/mini/ioi.circuit 30 [--model FOLDER] [--no-search]

It reads the specification and draws the prompts as circuitdsl does. Experiments are hooks on the model, all prompts
padded to one batch: knockouts, path patching in two passes (Wang et al. 2022), the circuit alone, 99 random circuits,
and the knockout of every head that is not listed. No claim is judged, there are no intervals, and what is left out is
listed. The values are means over these prompts' own counterfactuals, by template. With grouped queries it patches the
key or value of a whole group.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

import circuitdsl as cd
from benchmarks.hooks import Hook, Hooks, catching
from circuitdsl.components import ALL, Head, Node, Position, all_heads
from circuitdsl.language.circuit import Circuit, Control, FromTo, LogitsReceiver, Nodes, Path
from circuitdsl.measures.controls import random_nodes
from circuitdsl.models import Opening, open_model
from circuitdsl.tasks import open_task


def _put(masks: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> Hooks:
    """Hooks that replace what is marked."""

    def hook(mask: Tensor, value: Tensor) -> Hook:
        return lambda x, hook: torch.where(mask[..., None], value, x)

    return [(name, hook(mask, values[name])) for name, mask in masks.items() if mask.any()]


def _head(node: Node) -> Head:
    assert isinstance(node.component, Head), "circuits of heads alone"
    return node.component


def _input(node: Node, letter: str) -> str:
    return f"blocks.{_head(node).layer}.attn.hook_{letter}"


@dataclass
class ByHand:
    """One model on some prompts; ``passes`` counts forward passes over all of them."""

    circuit: Circuit
    count: int
    searched: bool = True
    model_name: str | None = None  # in place of the circuit's own
    device: str = "cpu"
    passes: int = 0

    def __post_init__(self) -> None:
        opening = Opening(device=self.device)
        self.model = open_model(self.model_name or self.circuit.model, opening=opening).bridge
        method = self.circuit.method
        drawn = open_task(self.circuit.task).draw(self.model.tokenizer, self.count, method.seed, method.bos)
        self.prompts = drawn.prompts
        self.ends = torch.tensor([len(prompt.tokens) - 1 for prompt in self.prompts], device=self.device)

    # --- runs ------------------------------------------------------------------------------------

    def _padded(self, rows: Iterable[Sequence[int]]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(row, device=self.device) for row in rows], batch_first=True
        )

    def _run(self, hooks: Hooks, tokens: Tensor | None = None) -> Tensor:
        """Logits at END [prompts, vocabulary]."""
        self.passes += 1
        with torch.inference_mode():
            given = self._tokens if tokens is None else tokens
            logits = self.model.run_with_hooks(given, fwd_hooks=list(hooks), return_type="logits")
        return logits[torch.arange(len(logits), device=self.device), self.ends]

    def _caught(self, tokens: Tensor, names: Iterable[str]) -> tuple[Tensor, dict[str, Tensor]]:
        found: dict[str, Tensor] = {}
        return self._run(catching(names, found), tokens), found

    @cached_property
    def _tokens(self) -> Tensor:
        return self._padded(prompt.tokens for prompt in self.prompts)

    @property
    def _outputs(self) -> tuple[str, ...]:
        return tuple(f"blocks.{layer}.attn.hook_z" for layer in range(self.circuit.geometry.n_layers))

    @cached_property
    def clean(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and all heads' outputs and patterns."""
        patterns = (name.replace("hook_z", "hook_pattern") for name in self._outputs)
        return self._caught(self._tokens, (*self._outputs, *patterns))

    @cached_property
    def corrupted(self) -> dict[str, Tensor]:
        """All heads' outputs on the counterfactuals."""
        rows = (prompt.counterfactuals[self.circuit.method.against] for prompt in self.prompts)
        return self._caught(self._padded(rows), self._outputs)[1]

    @cached_property
    def means(self) -> dict[str, Tensor]:
        """Their means by template."""
        groups: dict[str, list[int]] = {}
        for row, prompt in enumerate(self.prompts):
            groups.setdefault(prompt.template, []).append(row)
        found = {name: values.clone() for name, values in self.corrupted.items()}
        for rows in groups.values():
            for values in found.values():
                values[rows] = values[rows].mean(0)
        return found

    def metric(self, logits: Tensor) -> float:
        """The mean logit difference."""
        pairs = zip(logits, self.prompts, strict=True)
        return sum(float(row[p.answer] - row[list(p.wrong)].mean()) for row, p in pairs) / len(self.prompts)

    # --- experiments -----------------------------------------------------------------------------

    def _mask(self, position: Position) -> Tensor:
        """Where it stands: [prompts, length]."""
        mask = torch.zeros(self._tokens.shape, dtype=torch.bool, device=self.device)
        for row, prompt in enumerate(self.prompts):
            at = range(len(prompt.tokens)) if position == ALL else prompt.positions[position.name]
            mask[row, [index + position.offset for index in at]] = True
        return mask

    def _at(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        """By hook point, where these heads' outputs stand: [prompts, length, heads]."""
        masks = {
            name: torch.zeros((*self._tokens.shape, self.circuit.geometry.n_heads), device=self.device) > 0
            for name in self._outputs
        }
        for node in nodes:
            head = _head(node)
            masks[self._outputs[head.layer]][:, :, head.index] |= self._mask(node.position)
        return masks

    def knocked_out(self, nodes: Iterable[Node]) -> float:
        """The metric without these nodes."""
        return self.metric(self._run(_put(self._at(nodes), self.means)))

    def kept(self, nodes: Iterable[Node]) -> float:
        """The metric with all other heads ablated."""
        masks = {name: ~mask for name, mask in self._at(nodes).items()}
        return self.metric(self._run(_put(masks, self.means)))

    def path(self, path: Path) -> float:
        """The metric with the senders' change carried to the receivers alone."""
        senders = self._at(path.senders.nodes)
        frozen = {name: ~mask for name, mask in senders.items()}
        hooks = _put(frozen, self.clean[1]) + _put(senders, self.corrupted)
        if isinstance(path.receivers, LogitsReceiver):
            return self.metric(self._run(hooks))
        inputs = path.receivers.reads()
        caught: dict[str, Tensor] = {}
        self._run(hooks + catching({_input(node, letter) for node, letter in inputs}, caught))
        return self.metric(self._run(_put(self._arriving(inputs, caught), caught)))

    def _arriving(self, inputs: Iterable[tuple[Node, str]], caught: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By hook point, where the receivers read: [prompts, length, heads], or key-value heads."""
        masks = {
            name: torch.zeros((*self._tokens.shape, x.shape[2]), device=self.device) > 0 for name, x in caught.items()
        }
        for node, letter in inputs:
            mask = masks[_input(node, letter)]
            column = _head(node).index * mask.shape[2] // self.circuit.geometry.n_heads
            mask[:, :, column] |= self._mask(node.position)
        return masks

    def attention(self, heads: Nodes, where: FromTo) -> float:
        """The mean attention of these heads from one position to another."""
        shares = []
        for node in heads.nodes:
            head = _head(node)
            pattern = self.clean[1][f"blocks.{head.layer}.attn.hook_pattern"][:, head.index]
            query, key = self._mask(where.query), self._mask(where.key)
            both = query[:, :, None] & key[:, None, :]
            shares.append(float((pattern * both).sum() / query.sum()))
        return sum(shares) / len(shares)


def measured(of: ByHand) -> tuple[dict[str, float], list[str]]:
    """The figure of every claim, by its line and text, and the claims that are left out."""
    circuit, figures, left_out = of.circuit, dict[str, float](), list[str]()
    whole, nothing = of.metric(of.clean[0]), of.kept(())
    alone = of.kept(circuit.nodes)
    for claim in circuit.claims:
        arguments = dict(claim.term.arguments)
        heads, path, where = (arguments.get(name) for name in ("heads", "path", "where"))
        match claim.term.measure:
            case "logit_diff":
                found = whole
            case "faithfulness":
                found = (alone - nothing) / (whole - nothing)
                if isinstance(claim.bound, Control):
                    for nodes in random_nodes(circuit.nodes, circuit.geometry, circuit.method.seed):
                        of.kept(nodes)
            case "attention" if isinstance(heads, Nodes) and isinstance(where, FromTo):
                found = of.attention(heads, where)
            case "knockout" if isinstance(heads, Nodes):
                found = of.knocked_out(heads.nodes) / whole - 1
            case "minimality" if isinstance(heads, Nodes):
                found = abs(of.kept(set(circuit.nodes) - set(heads.nodes)) - alone) / whole
            case "effect" if isinstance(path, Path) and not claim.term.options:
                found = of.path(path) / whole - 1
            case _:
                left_out.append(f"{claim.line} {claim.text}")
                continue
        figures[f"{claim.line} {claim.text}"] = found
    others = set(all_heads(circuit.geometry)) - set(circuit.heads) if of.searched else ()
    for head in sorted(others):
        figures[f"unlisted {head}"] = of.knocked_out([Node(head, ALL)]) / whole - 1
    return figures, left_out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.by_hand")
    parser.add_argument("spec")
    parser.add_argument("prompts", type=int)
    parser.add_argument("--model", help="a model in place of the specification's own")
    parser.add_argument("--no-search", action="store_true", help="no knockout of heads that are not listed")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    passes, figures, left_out = 0, dict[str, float](), list[str]()
    for circuit in cd.load(asked.spec, model=asked.model).circuits:
        of = ByHand(circuit, asked.prompts, not asked.no_search, asked.model, asked.device)
        found, left = measured(of)
        passes, left_out = passes + of.passes, left_out + left
        figures |= {f"{circuit.name} {name}": figure for name, figure in found.items()}
    print(json.dumps({"passes": passes, "figures": figures, "left_out": left_out}))


if __name__ == "__main__":
    main()
