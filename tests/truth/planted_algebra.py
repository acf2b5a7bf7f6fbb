"""A second computation of everything that the engine measures, for planted models: matrices and their weights alone.

No TransformerLens, no hooks, no batches: one prompt at a time in float64. A planted model has no norms and no MLPs, so
that its residual stream is exactly a sum of the heads' outputs, and path patching is a few additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

import torch
from torch import Tensor

from circuitdsl.components import Head, Node
from circuitdsl.engine.references import Reference
from circuitdsl.models.planted.build import planted_weights
from circuitdsl.models.planted.plans import PlantedModel
from circuitdsl.tasks.prompts import Prompt

torch.set_num_threads(1)  # small matrices: threads only get in each other's way


@dataclass(frozen=True)
class Run:
    """One prompt's run: outputs [tokens, d_model] and patterns [tokens, tokens] by head, logits [vocabulary] at END.

    ``before`` is the residual stream [tokens, d_model] that a layer reads. A head whose whole output was given has no
    pattern.
    """

    outputs: Mapping[Head, Tensor]
    patterns: Mapping[Head, Tensor]
    before: tuple[Tensor, ...]
    logits: Tensor


@dataclass(frozen=True)
class Edits:
    """What a run is made to differ in: heads' outputs, and what a head's q, k or v reads.

    Each is token indices, and as many vectors [tokens, d_model].
    """

    outputs: Mapping[Head, tuple[Sequence[int], Tensor]] = field(default_factory=dict)
    inputs: Mapping[tuple[Head, str], tuple[Sequence[int], Tensor]] = field(default_factory=dict)

    def first_layer(self, layers: int) -> int:
        """The first layer in which anything differs; ``layers`` if nothing does."""
        return min((head.layer for head in (*self.outputs, *(head for head, _ in self.inputs))), default=layers)


NO_EDITS = Edits()


class Algebra:
    """The planted model as matrices."""

    def __init__(self, planted: PlantedModel):
        self.geometry = planted.geometry
        weights = {name: value.double() for name, value in planted_weights(planted).items()}
        self.embedding, self.position = weights["tok_embed.weight"], weights["pos.weight"]
        self.unembedding = weights["head.weight"]
        self.heads = tuple(planted.heads)
        self.layers = [
            {name: weights[f"layers.{layer}.attn.{name}.weight"] for name in "qkvo"}
            for layer in range(self.geometry.n_layers)
        ]
        self.of_heads: dict[tuple[Head, ...], dict[str, Tensor]] = {}

    def run(self, tokens: Sequence[int], edits: Edits = NO_EDITS, clean: Run | None = None) -> Run:
        """A run of these tokens. Up to the first edit it is as a ``clean`` run of them, if that is given."""
        first = 0 if clean is None else edits.first_layer(self.geometry.n_layers)
        if clean is None:
            outputs, patterns, before = {}, {}, []
            residual = self.embedding[list(tokens)] + self.position[: len(tokens)]
        else:
            outputs, patterns = (
                {h: t for h, t in by.items() if h.layer < first} for by in (clean.outputs, clean.patterns)
            )
            before, residual = list(clean.before[:first]), clean.before[first]
        for layer in range(first, self.geometry.n_layers):
            before.append(residual)
            here = [Head(layer, index) for index in range(self.geometry.n_heads)]
            given = {head: edits.outputs[head] for head in here if head in edits.outputs}
            computed = tuple(head for head in here if head not in given or len(given[head][0]) < len(tokens))
            if computed:
                found = self._heads(computed, residual, edits)
                outputs |= dict(zip(computed, found[0], strict=True))
                patterns |= dict(zip(computed, found[1], strict=True))
            for head, (rows, vectors) in given.items():
                outputs.setdefault(head, torch.empty_like(residual))
                outputs[head][list(rows)] = vectors
            residual = residual + torch.stack([outputs[head] for head in here]).sum(dim=0)
        return Run(outputs, patterns, (*before, residual), self.unembedding @ residual[-1])

    def _heads(self, heads: tuple[Head, ...], residual: Tensor, edits: Edits) -> tuple[Tensor, Tensor]:
        """Outputs [heads, tokens, d_model] and patterns [heads, tokens, tokens] of a layer's heads."""
        weights, d_head = self._weights(heads), self.geometry.d_head
        read = {name: _by_head(residual @ weights[name].T, d_head) for name in "qkv"}
        for (head, name), (rows, vectors) in edits.inputs.items():
            if head in heads:
                index = heads.index(head)
                read[name][index, list(rows)] = vectors @ weights[name][index * d_head : (index + 1) * d_head].T
        scores = read["q"] @ read["k"].mT / d_head**0.5
        later = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
        pattern = scores.masked_fill(later, -torch.inf).softmax(dim=-1)
        return pattern @ read["v"] @ _by_head(weights["o"], d_head).mT, pattern

    def _weights(self, heads: tuple[Head, ...]) -> dict[str, Tensor]:
        """The weights of some heads of a layer, taken out of the layer's once."""
        if heads not in self.of_heads:
            width = self.geometry.d_head
            rows = [head.index * width + row for head in heads for row in range(width)]
            layer = self.layers[heads[0].layer]
            self.of_heads[heads] = {name: layer[name][rows] for name in "qkv"} | {"o": layer["o"][:, rows]}
        return self.of_heads[heads]


def _by_head(joined: Tensor, d_head: int) -> Tensor:
    """[rows, heads * d_head] as [heads, rows, d_head]."""
    return joined.unflatten(1, (-1, d_head)).transpose(0, 1)


# --- what the engine measures, again ---------------------------------------------------------------------


def places(node: Node, prompt: Prompt) -> tuple[int, ...]:
    """The token indices of a node's position; all of them for ``all``."""
    if node.position.name == "all":
        return tuple(range(len(prompt.tokens)))
    return tuple(index + node.position.offset for index in prompt.positions[node.position.name])


def logit_diff(logits: Tensor, prompt: Prompt) -> float:
    return float(logits[prompt.answer] - logits[list(prompt.wrong)].mean())


def _head_of(node: Node) -> Head:
    assert isinstance(node.component, Head)
    return node.component


Places = Mapping[Head, set[int]]
"""Token indices by head."""


def _by_place(nodes: Iterable[Node], prompt: Prompt) -> dict[Head, set[int]]:
    found: dict[Head, set[int]] = {}
    for node in nodes:
        found.setdefault(_head_of(node), set()).update(places(node, prompt))
    return found


class Measuring:
    """Measurements on some prompts against one counterfactual, metric logit_diff.

    Averages over prompts in which every template counts the same. Outputs are replaced by means over the
    counterfactuals of a group of the ``reference``.
    """

    def __init__(self, algebra: Algebra, prompts: Iterable[Prompt], against: str, reference: Reference):
        self.algebra, self.prompts = algebra, tuple(prompts)
        self.against = against
        self.means: dict[str, dict[Head, Tensor]] = {}
        self.clean = [algebra.run(prompt.tokens) for prompt in self.prompts]
        self.corrupted = [algebra.run(prompt.counterfactuals[against]) for prompt in self.prompts]
        self.known: dict[tuple[int, frozenset[tuple[Head, tuple[int, ...]]]], float] = {}
        self.groups = {id(prompt): reference.group_of(prompt) for prompt in self.prompts}

    def _mean(self, prompt: Prompt) -> dict[Head, Tensor]:
        """Each head's mean output [tokens, d_model] over the counterfactuals of the prompt's group of the reference."""
        group = self.groups[id(prompt)]
        if group.label not in self.means:
            runs = [self.algebra.run(each.counterfactuals[self.against]) for each in group.prompts]
            self.means[group.label] = {
                head: torch.stack([run.outputs[head] for run in runs]).mean(dim=0) for head in self.algebra.heads
            }
        return self.means[group.label]

    def average(self, values: Iterable[float]) -> float:
        """The mean over templates of the means over their prompts."""
        by_template: dict[str, list[float]] = {}
        for prompt, value in zip(self.prompts, values, strict=True):
            by_template.setdefault(prompt.template, []).append(value)
        return mean(map(mean, by_template.values()))

    def metric(self) -> float:
        return self.average(
            logit_diff(run.logits, prompt) for run, prompt in zip(self.clean, self.prompts, strict=True)
        )

    def without(self, nodes: Iterable[Node]) -> float:
        """F with these nodes' outputs replaced by the mean of their template."""
        return self.average(self.each_without(nodes))

    def each_without(self, nodes: Iterable[Node]) -> list[float]:
        """As ``without``, prompt by prompt."""
        nodes = tuple(nodes)
        return self._replaced(lambda prompt: _by_place(nodes, prompt))

    def only(self, nodes: Iterable[Node]) -> float:
        """F with all other outputs replaced: F(C)."""
        nodes = tuple(nodes)

        def outside(prompt: Prompt) -> Places:
            kept, every = _by_place(nodes, prompt), set(range(len(prompt.tokens)))
            return {head: every - kept.get(head, set()) for head in self.algebra.heads}

        return self.average(self._replaced(outside))

    def _replaced(self, where: Callable[[Prompt], Places]) -> list[float]:
        """The metric of every prompt with the outputs ``where`` says replaced. No run is made twice."""
        return [self._run_replaced(number, where(prompt)) for number, prompt in enumerate(self.prompts)]

    def _run_replaced(self, number: int, places: Places) -> float:
        rows_of = {head: tuple(sorted(rows)) for head, rows in places.items() if rows}
        key = number, frozenset(rows_of.items())
        if key not in self.known:
            prompt = self.prompts[number]
            mean = self._mean(prompt)
            edits = Edits({head: (rows, mean[head][list(rows)]) for head, rows in rows_of.items()})
            run = self.algebra.run(prompt.tokens, edits, self.clean[number])
            self.known[key] = logit_diff(run.logits, prompt)
        return self.known[key]

    def knockout(self, nodes: Iterable[Node]) -> float:
        return (self.without(nodes) - self.metric()) / abs(self.metric())

    def faithfulness(self, nodes: Iterable[Node]) -> float:
        nothing = self.only(())
        return (self.only(nodes) - nothing) / (self.metric() - nothing)

    def minimality(self, node: Node, nodes: Iterable[Node], companions: Iterable[Iterable[Node]]) -> float:
        """The largest |F(C \\ (K and v)) - F(C \\ K)| / F(M) over the empty set and ``companions``."""
        everything = set(nodes)
        sets = [set[Node](), *(set(some) - {node} for some in companions)]
        return max(
            abs(self.only(everything - k - {node}) - self.only(everything - k)) / abs(self.metric()) for k in sets
        )

    def effect(self, senders: Iterable[Node], receivers: Iterable[tuple[Node, str]]) -> float:
        """Path patching by addition: what the senders' change adds to the residual stream that a receiver reads."""
        senders, receivers = tuple(senders), tuple(receivers)
        estimates = []
        for prompt, clean, corrupted in zip(self.prompts, self.clean, self.corrupted, strict=True):
            change = {head: torch.zeros_like(clean.before[0]) for head in {_head_of(n) for n in senders}}
            for node in senders:
                head = _head_of(node)
                for index in places(node, prompt):
                    change[head][index] = corrupted.outputs[head][index] - clean.outputs[head][index]
            if not receivers:
                moved = torch.stack([rows[-1] for rows in change.values()]).sum(dim=0)
                estimates.append(logit_diff(clean.logits + self.algebra.unembedding @ moved, prompt))
                continue
            read: dict[tuple[Head, str], set[int]] = {}
            for node, name in receivers:
                read.setdefault((_head_of(node), name), set()).update(places(node, prompt))
            inputs: dict[tuple[Head, str], tuple[Sequence[int], Tensor]] = {}
            for (head, name), indices in read.items():
                arriving = clean.before[head.layer] + sum(
                    (rows for sender, rows in change.items() if sender.layer < head.layer), start=0.0
                )
                inputs[head, name] = (sorted(indices), arriving[sorted(indices)])
            estimates.append(logit_diff(self.algebra.run(prompt.tokens, Edits(inputs=inputs), clean).logits, prompt))
        return (self.average(estimates) - self.metric()) / abs(self.metric())
