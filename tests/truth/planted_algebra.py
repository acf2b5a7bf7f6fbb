"""A second computation of everything that the engine measures, for planted models: NumPy and their weights alone.

No TransformerLens, no hooks, no batches: one prompt at a time in float64. A planted model has no norms and no MLPs, so
that its residual stream is exactly a sum of the heads' outputs, and path patching is a few additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from circuitdsl.language.circuit import Head, Node
from circuitdsl.models.planted.build import planted_weights
from circuitdsl.models.planted.plans import PlantedModel
from circuitdsl.tasks.prompts import Prompt

Array = np.ndarray


@dataclass(frozen=True)
class Run:
    """One prompt's run: outputs [tokens, d_model] and patterns [tokens, tokens] by head, logits [vocabulary] at END.

    ``before`` is the residual stream [tokens, d_model] that a layer reads.
    """

    outputs: Mapping[Head, Array]
    patterns: Mapping[Head, Array]
    before: tuple[Array, ...]
    logits: Array


@dataclass(frozen=True)
class Edits:
    """What a run is made to differ in: heads' outputs, and what a head's q, k or v reads, each by token index."""

    outputs: Mapping[Head, Mapping[int, Array]] = field(default_factory=dict)
    inputs: Mapping[tuple[Head, str], Mapping[int, Array]] = field(default_factory=dict)


NO_EDITS = Edits()


class Algebra:
    """The planted model as matrices."""

    def __init__(self, planted: PlantedModel):
        self.geometry = planted.geometry
        weights = {name: value.double().numpy() for name, value in planted_weights(planted).items()}
        self.embedding, self.position = weights["tok_embed.weight"], weights["pos.weight"]
        self.unembedding = weights["head.weight"]
        self.heads: dict[Head, dict[str, Array]] = {}
        d_head = self.geometry.d_head
        for head in planted.heads:
            rows = slice(head.index * d_head, (head.index + 1) * d_head)
            read = {name: weights[f"layers.{head.layer}.attn.{name}.weight"][rows] for name in "qkv"}
            self.heads[head] = read | {"o": weights[f"layers.{head.layer}.attn.o.weight"][:, rows]}

    def run(self, tokens: Iterable[int], edits: Edits = NO_EDITS) -> Run:
        residual = self.embedding[list(tokens)] + self.position[: len(list(tokens))]
        outputs, patterns, before = {}, {}, []
        for layer in range(self.geometry.n_layers):
            before.append(residual)
            for head in (Head(layer, index) for index in range(self.geometry.n_heads)):
                outputs[head], patterns[head] = self._head(head, residual, edits)
            residual = residual + sum(outputs[head] for head in outputs if head.layer == layer)
        return Run(outputs, patterns, (*before, residual), self.unembedding @ residual[-1])

    def _head(self, head: Head, residual: Array, edits: Edits) -> tuple[Array, Array]:
        reads = {}
        for name in "qkv":
            read = residual.copy()
            for position, vector in edits.inputs.get((head, name), {}).items():
                read[position] = vector
            reads[name] = read @ self.heads[head][name].T
        scores = reads["q"] @ reads["k"].T / np.sqrt(self.geometry.d_head)
        scores[np.triu_indices(len(scores), 1)] = -np.inf
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        pattern = weights / weights.sum(axis=1, keepdims=True)
        output = pattern @ reads["v"] @ self.heads[head]["o"].T
        for position, vector in edits.outputs.get(head, {}).items():
            output[position] = vector
        return output, pattern


# --- what the engine measures, again ---------------------------------------------------------------------


def places(node: Node, prompt: Prompt) -> tuple[int, ...]:
    """The token indices of a node's position; all of them for ``all``."""
    if node.position.name == "all":
        return tuple(range(len(prompt.tokens)))
    return tuple(index + node.position.offset for index in prompt.positions[node.position.name])


def logit_diff(logits: Array, prompt: Prompt) -> float:
    return float(logits[prompt.answer] - np.mean([logits[wrong] for wrong in prompt.wrong]))


def _head_of(node: Node) -> Head:
    assert isinstance(node.component, Head)
    return node.component


class Measuring:
    """Measurements on some prompts against one counterfactual; averages over the prompts, metric logit_diff."""

    def __init__(self, algebra: Algebra, prompts: Iterable[Prompt], against: str):
        self.algebra, self.prompts = algebra, tuple(prompts)
        self.clean = [algebra.run(prompt.tokens) for prompt in self.prompts]
        self.corrupted = [algebra.run(prompt.counterfactuals[against]) for prompt in self.prompts]
        self.means = self._means()

    def _means(self) -> dict[str, dict[Head, Array]]:
        """By template: each head's mean output [tokens, d_model] over the counterfactuals."""
        by_template: dict[str, list[Run]] = {}
        for prompt, run in zip(self.prompts, self.corrupted, strict=True):
            by_template.setdefault(prompt.template, []).append(run)
        return {
            template: {head: np.mean([run.outputs[head] for run in runs], axis=0) for head in self.algebra.heads}
            for template, runs in by_template.items()
        }

    def metric(self) -> float:
        return float(
            np.mean([logit_diff(run.logits, prompt) for run, prompt in zip(self.clean, self.prompts, strict=True)])
        )

    def accuracy(self) -> float:
        return float(
            np.mean([run.logits.argmax() == p.answer for run, p in zip(self.clean, self.prompts, strict=True)])
        )

    def corrupted_metric(self) -> float:
        runs = zip(self.corrupted, self.prompts, strict=True)
        return float(np.mean([logit_diff(run.logits, prompt) for run, prompt in runs]))

    def attention(self, head: Head, query: str, key: str) -> float:
        shares = [
            np.mean([sum(run.patterns[head][q, k] for k in p.positions[key]) for q in p.positions[query]])
            for run, p in zip(self.clean, self.prompts, strict=True)
        ]
        return float(np.mean(shares))

    def without(self, nodes: Iterable[Node]) -> float:
        """F with these nodes' outputs replaced by the mean of their template."""
        nodes = tuple(nodes)
        return self._replaced(lambda prompt: {(_head_of(n), i) for n in nodes for i in places(n, prompt)})

    def only(self, nodes: Iterable[Node]) -> float:
        """F with all other outputs replaced: F(C)."""
        nodes = tuple(nodes)

        def outside(prompt: Prompt) -> set[tuple[Head, int]]:
            kept = {(_head_of(n), i) for n in nodes for i in places(n, prompt)}
            return {(head, i) for head in self.algebra.heads for i in range(len(prompt.tokens))} - kept

        return self._replaced(outside)

    def _replaced(self, where) -> float:
        figures = []
        for prompt in self.prompts:
            outputs: dict[Head, dict[int, Array]] = {}
            for head, index in where(prompt):
                outputs.setdefault(head, {})[index] = self.means[prompt.template][head][index]
            figures.append(logit_diff(self.algebra.run(prompt.tokens, Edits(outputs)).logits, prompt))
        return float(np.mean(figures))

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
        figures = []
        for prompt, clean, corrupted in zip(self.prompts, self.clean, self.corrupted, strict=True):
            change = {head: np.zeros_like(clean.before[0]) for head in {_head_of(n) for n in senders}}
            for node in senders:
                head = _head_of(node)
                for index in places(node, prompt):
                    change[head][index] = corrupted.outputs[head][index] - clean.outputs[head][index]
            if not receivers:
                moved = sum(rows[-1] for rows in change.values())
                figures.append(logit_diff(clean.logits + self.algebra.unembedding @ moved, prompt))
                continue
            inputs: dict[tuple[Head, str], dict[int, Array]] = {}
            for node, name in receivers:
                head = _head_of(node)
                arriving = clean.before[head.layer] + sum(
                    (rows for sender, rows in change.items() if sender.layer < head.layer), start=0.0
                )
                for index in places(node, prompt):
                    inputs.setdefault((head, name), {})[index] = arriving[index]
            figures.append(logit_diff(self.algebra.run(prompt.tokens, Edits(inputs=inputs)).logits, prompt))
        return (float(np.mean(figures)) - self.metric()) / abs(self.metric())
