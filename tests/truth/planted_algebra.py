"""A second computation of everything that the engine measures, for planted models: matrices and their weights alone.

No TransformerLens, no hooks, no batches: one prompt at a time in float64. A planted model has no norms, so that its
residual stream is exactly a sum of what its heads and MLPs write; path patching is a run in which all heads are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

import torch
from torch import Tensor

from circuitdsl.components import Component, Head, Mlp, Neuron, Node, Position
from circuitdsl.engine.references import Reference
from circuitdsl.models.planted.build import planted_weights
from circuitdsl.models.planted.plans import PlantedModel
from circuitdsl.tasks.prompts import Prompt

torch.set_num_threads(1)  # small matrices: threads only get in each other's way

Rows = tuple[Sequence[int], Tensor]
"""Token indices, and a value for each: of a head or an MLP [tokens, d_model], of a neuron [tokens]."""


@dataclass(frozen=True)
class Run:
    """One prompt's run: outputs of heads and MLPs [tokens, d_model], of neurons [tokens], patterns [tokens, tokens] by
    head, logits [vocabulary] at END.

    ``before`` is the residual stream [tokens, d_model] that a layer's heads read, ``between`` the one that its MLP
    reads. A head whose whole output was given has no pattern.
    """

    outputs: Mapping[Component, Tensor]
    patterns: Mapping[Head, Tensor]
    before: tuple[Tensor, ...]
    between: tuple[Tensor, ...]
    logits: Tensor

    def read(self, component: Component) -> Tensor:
        """The residual stream that a component reads, [tokens, d_model]."""
        return (self.before if isinstance(component, Head) else self.between)[component.layer]


@dataclass(frozen=True)
class Edits:
    """What a run is made to differ in: outputs, and what a head's q, k or v reads, or an MLP or a neuron ("")."""

    outputs: Mapping[Component, Rows] = field(default_factory=dict)
    inputs: Mapping[tuple[Component, str], Rows] = field(default_factory=dict)

    def first_layer(self, layers: int) -> int:
        """The first layer in which anything differs; ``layers`` if nothing does."""
        return min((each.layer for each in (*self.outputs, *(each for each, _ in self.inputs))), default=layers)


NO_EDITS = Edits()


class Algebra:
    """The planted model as matrices."""

    def __init__(self, planted: PlantedModel):
        self.geometry = planted.geometry
        weights = {name: value.double() for name, value in planted_weights(planted).items()}
        self.embedding, self.position = weights["tok_embed.weight"], weights["pos.weight"]
        self.unembedding = weights["head.weight"]
        self.heads = tuple(planted.heads)
        layers = range(self.geometry.n_layers)
        self.layers = [{name: weights[f"layers.{layer}.attn.{name}.weight"] for name in "qkvo"} for layer in layers]
        self.mlps = tuple(Mlp(layer) for layer in layers if planted.mlps)
        self.of_mlps = [
            {
                part: weights[f"layers.{mlp.layer}.mlp.{part}"]
                for part in ("fc_in.weight", "fc_in.bias", "fc_out.weight")
            }
            for mlp in self.mlps
        ]
        self.neurons = [[Neuron(mlp.layer, index) for index in range(self.geometry.d_mlp)] for mlp in self.mlps]
        self.of_heads: dict[tuple[Head, ...], dict[str, Tensor]] = {}

    def run(self, tokens: Sequence[int], edits: Edits = NO_EDITS, clean: Run | None = None) -> Run:
        """A run of these tokens. Up to the first edit it is as a ``clean`` run of them, if that is given."""
        first = 0 if clean is None else edits.first_layer(self.geometry.n_layers)
        outputs: dict[Component, Tensor] = {}
        patterns: dict[Head, Tensor] = {}
        before: list[Tensor] = []
        between: list[Tensor] = []
        if clean is None:
            residual = self.embedding[list(tokens)] + self.position[: len(tokens)]
        else:
            outputs |= {each: output for each, output in clean.outputs.items() if each.layer < first}
            patterns |= {head: pattern for head, pattern in clean.patterns.items() if head.layer < first}
            before, between, residual = list(clean.before[:first]), list(clean.between[:first]), clean.before[first]
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
            between.append(residual)
            if self.mlps:
                outputs |= self._mlp(layer, residual, edits)
                residual = residual + outputs[Mlp(layer)]
        return Run(outputs, patterns, (*before, residual), tuple(between), self.unembedding @ residual[-1])

    def _mlp(self, layer: int, residual: Tensor, edits: Edits) -> dict[Component, Tensor]:
        """Outputs of a layer's neurons, [tokens], and of its MLP, [tokens, d_model]."""
        into, bias, out = self.of_mlps[layer].values()
        active = (residual @ into.T + bias).relu()
        for (component, _), (rows, vectors) in edits.inputs.items():
            if component.layer == layer and isinstance(component, (Mlp, Neuron)):
                columns = slice(None) if isinstance(component, Mlp) else slice(component.index, component.index + 1)
                active[list(rows), columns] = (vectors @ into[columns].T + bias[columns]).relu()
        for component, (rows, values) in edits.outputs.items():
            if component.layer == layer and isinstance(component, Neuron):
                active[list(rows), component.index] = values
        written = active @ out.T
        if given := edits.outputs.get(Mlp(layer)):
            written[list(given[0])] = given[1]
        return {Mlp(layer): written, **dict(zip(self.neurons[layer], active.T, strict=True))}

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


Places = Mapping[Component, set[int]]
"""Token indices by component."""


def _by_place(nodes: Iterable[Node], prompt: Prompt) -> dict[Component, set[int]]:
    found: dict[Component, set[int]] = {}
    for node in nodes:
        found.setdefault(node.component, set()).update(places(node, prompt))
    return found


class Measuring:
    """Measurements on some prompts against one counterfactual, metric logit_diff.

    Averages over prompts in which every template counts the same. Outputs are replaced by means over the
    counterfactuals of a group of the ``reference``.
    """

    def __init__(self, algebra: Algebra, prompts: Iterable[Prompt], against: str, reference: Reference):
        self.algebra, self.prompts = algebra, tuple(prompts)
        self.against = against
        self.means: dict[str, dict[Component, Tensor]] = {}
        self.clean = [algebra.run(prompt.tokens) for prompt in self.prompts]
        self.corrupted = self.runs_on(against)
        self.known: dict[tuple[int, frozenset[tuple[Component, tuple[int, ...]]]], float] = {}
        self.groups = {id(prompt): reference.group_of(prompt) for prompt in self.prompts}

    def runs_on(self, counterfactual: str) -> list[Run]:
        """The runs of the prompts' counterfactuals of this name."""
        return [self.algebra.run(prompt.counterfactuals[counterfactual]) for prompt in self.prompts]

    def _mean(self, prompt: Prompt) -> dict[Component, Tensor]:
        """Each component's mean output over the counterfactuals of the prompt's group of the reference."""
        group = self.groups[id(prompt)]
        if group.label not in self.means:
            runs = [self.algebra.run(each.counterfactuals[self.against]).outputs for each in group.prompts]
            self.means[group.label] = {each: torch.stack([run[each] for run in runs]).mean(dim=0) for each in runs[0]}
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

    def only(self, nodes: Iterable[Node], like: Iterable[Node] | None = None) -> float:
        """F with all other outputs replaced: F(C). MLPs are replaced if there are any among the nodes of the whole
        circuit, ``like``, which is these nodes if not told; of an MLP of which neurons are kept, its other neurons."""
        nodes = tuple(nodes)
        named = [node.component for node in (nodes if like is None else like)]
        mlps = [*self.algebra.mlps] if any(not isinstance(each, Head) for each in named) else []

        def outside(prompt: Prompt) -> Places:
            kept, every = _by_place(nodes, prompt), set(range(len(prompt.tokens)))
            inside = {each.layer for each in kept if isinstance(each, Neuron)}
            parts: list[Component] = [*self.algebra.heads]
            for mlp in mlps:
                parts += self.algebra.neurons[mlp.layer] if mlp.layer in inside else [mlp]
            return {each: every - kept.get(each, set()) for each in parts}

        return self.average(self._replaced(outside))

    def _replaced(self, where: Callable[[Prompt], Places]) -> list[float]:
        """The metric of every prompt with the outputs ``where`` says replaced. No run is made twice."""
        return [self._run_replaced(number, where(prompt)) for number, prompt in enumerate(self.prompts)]

    def _run_replaced(self, number: int, places: Places) -> float:
        rows_of = {each: tuple(sorted(rows)) for each, rows in places.items() if rows}
        key = number, frozenset(rows_of.items())
        if key not in self.known:
            prompt = self.prompts[number]
            mean = self._mean(prompt)
            edits = Edits({each: (rows, mean[each][list(rows)]) for each, rows in rows_of.items()})
            run = self.algebra.run(prompt.tokens, edits, self.clean[number])
            self.known[key] = logit_diff(run.logits, prompt)
        return self.known[key]

    def knockout(self, nodes: Iterable[Node]) -> float:
        return (self.without(nodes) - self.metric()) / abs(self.metric())

    def faithfulness(self, nodes: Iterable[Node]) -> float:
        nodes = tuple(nodes)
        nothing = self.only((), nodes)
        return (self.only(nodes) - nothing) / (self.metric() - nothing)

    def minimality(self, node: Node, nodes: Iterable[Node], companions: Iterable[Iterable[Node]]) -> float:
        """The largest |F(C \\ (K and v)) - F(C \\ K)| / F(M) over the empty set and ``companions``."""
        everything = set(nodes)
        sets = [set[Node](), *(set(some) - {node} for some in companions)]
        return max(
            abs(self.only(everything - k - {node}, everything) - self.only(everything - k, everything))
            / abs(self.metric())
            for k in sets
        )

    def completeness(self, nodes: Iterable[Node], some: Iterable[Node]) -> float:
        """|F(C \\ K) - F(M \\ K)|"""
        nodes, some = set(nodes), set(some)
        return abs(self.only(nodes - some, nodes) - self.without(some))

    def interchange(self, nodes: Iterable[Node], variable: str, counterfactual: str) -> float:
        """The share of prompts that say what the variable predicts, given the nodes' outputs on the counterfactual."""
        nodes = tuple(nodes)
        said: list[float] = []
        for prompt, clean, other in zip(self.prompts, self.clean, self.runs_on(counterfactual), strict=True):
            where = {each: sorted(rows) for each, rows in _by_place(nodes, prompt).items()}
            edits = Edits({each: (rows, other.outputs[each][rows]) for each, rows in where.items()})
            run = self.algebra.run(prompt.tokens, edits, clean)
            said.append(float(int(run.logits.argmax()) == prompt.predicted[variable]))
        return self.average(said)

    def attention(self, heads: Iterable[Head], query: Position, key: Position) -> float:
        """The mean share that heads give to a position of one token from another."""
        heads = tuple(heads)
        shares: list[float] = []
        for prompt, clean in zip(self.prompts, self.clean, strict=True):
            (row,), (column,) = (places(Node(heads[0], each), prompt) for each in (query, key))
            shares.append(mean(float(clean.patterns[head][row, column]) for head in heads))
        return self.average(shares)

    def effect(self, senders: Iterable[Node], receivers: Iterable[tuple[Node, str]], strict: bool = False) -> float:
        """Path patching: a run in which the senders write what they do on the counterfactual, and all other heads what
        they do anyway, tells what arrives at a receiver. MLPs on the way compute, if not ``strict``."""
        senders, receivers = tuple(senders), tuple(receivers)
        held = [*self.algebra.heads, *(self._mlps_but(senders) if strict else ())]
        estimates: list[float] = []
        for prompt, clean, corrupted in zip(self.prompts, self.clean, self.corrupted, strict=True):
            every = range(len(prompt.tokens))
            given: dict[Component, Rows] = {each: (every, clean.outputs[each]) for each in held}
            for component, rows in _by_place(senders, prompt).items():
                given[component] = _with(given.get(component), sorted(rows), corrupted.outputs[component])
            run = self.algebra.run(prompt.tokens, Edits(given), clean)
            if receivers:
                read: dict[tuple[Component, str], set[int]] = {}
                for node, name in receivers:
                    read.setdefault((node.component, name), set()).update(places(node, prompt))
                arriving = {key: (sorted(rows), run.read(key[0])[sorted(rows)]) for key, rows in read.items()}
                run = self.algebra.run(prompt.tokens, Edits(inputs=arriving), clean)
            estimates.append(logit_diff(run.logits, prompt))
        return (self.average(estimates) - self.metric()) / abs(self.metric())

    def _mlps_but(self, senders: Iterable[Node]) -> list[Component]:
        """All MLPs; of one of which neurons send, all of its neurons."""
        sending = {node.component.layer for node in senders if isinstance(node.component, Neuron)}
        held: list[Component] = []
        for mlp in self.algebra.mlps:
            held += self.algebra.neurons[mlp.layer] if mlp.layer in sending else [mlp]
        return held


def _with(given: Rows | None, rows: list[int], output: Tensor) -> Rows:
    """What a component is given, with its rows of an output among it."""
    if given is None:
        return rows, output[rows]
    changed = given[1].clone()
    changed[rows] = output[rows]
    return given[0], changed
