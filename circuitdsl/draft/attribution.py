"""Which features a metric is attributed to: to find them and to order them, never to decide. Patching decides.

1. The model is run as a linear computation graph (Ge et al. 2024): attention patterns and the scales of norms are what
   they are on the prompt; where a dictionary stands, its features and its error, which is a constant, are in place of
   what they add up to, so that an MLP with a transcoder is its features. Nothing computes anything else for it.
2. One backward pass from the metric; features are candidates of ``hierarchical``. What has no dictionary is passed by
   its own derivative.
3. Attributions are averaged over prompts as ``check`` weighs them, by feature and by the name of the token: ``S1+4`` is
   the fourth after S1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from circuitdsl.check.circuit import processing_of
from circuitdsl.components import Dictionary, Feature, Node, Position
from circuitdsl.draft.hierarchical import Cut, candidate
from circuitdsl.engine.batch import Batch, batch_of
from circuitdsl.engine.plain.dictionaries import Dictionaries
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.readings import METRICS, NOT_FINITE
from circuitdsl.engine.session import Session
from circuitdsl.engine.slices import in_batches
from circuitdsl.errors import InputError
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.environment import BOS
from circuitdsl.measures.experiments import has_gradient
from circuitdsl.measures.figures import figure_of
from circuitdsl.measures.measurement import CannotMeasure, data_of
from circuitdsl.models import DictionaryWeights, Model
from circuitdsl.outcome import AttributionReport, ErrorAttribution, FeatureAttribution
from circuitdsl.tasks.prompts import Prompt

TOKENS_A_PASS = 1024
"""Fewer than an engine's, for the whole pass is kept until it was run back."""


def attribute(circuit: Circuit, model: Model, cut: Cut) -> AttributionReport:
    """The features of a circuit's dictionaries to which its metric is attributed, on its method's first prompts.

    Raises InputError for a circuit without dictionaries or with two at one point, for a metric that has no gradient or
    that a prompt does not have, for prompts that cannot be had, and for a model that gives NaN or infinity.
    """
    require_dictionaries(circuit)
    metric = METRICS[smooth_metric(circuit)]
    method, data = circuit.method, data_of(circuit)
    engine = PlainEngine(model)
    engine.dictionaries.open(circuit.dictionaries)
    session = Session(engine)
    prompts = session.all_of(data) if data.listed else session.prompts(data, method.prompts_first)
    graph = _Graph(model, engine.dictionaries, metric, cut)
    weights = iter(_weights(prompts, session.shares(data)))
    sums = _Sums([*(position.name for position in circuit.task_info.positions), BOS])
    for group in in_batches(prompts, TOKENS_A_PASS):
        passed = graph.run(batch_of(group, next(model.bridge.parameters()).device))
        sums.add(passed, tuple(islice(weights, len(group))))
    return AttributionReport(
        circuit=circuit,
        model=model.name,
        processing=processing_of(model, model.dtype),
        performance=None,
        fingerprint=model.fingerprint,
        revision=model.revision,
        notes=session.notes(data),
        prompts=len(prompts),
        metric=sums.metric,
        threshold=cut.threshold,
        both_signs=cut.both_signs,
        features=sums.features(),
        errors=sums.errors(),
    )


def require_dictionaries(circuit: Circuit) -> None:
    """Raise InputError for a circuit that has no features to attribute to, or at one point those of two."""
    if not circuit.dictionaries:
        raise InputError(
            f"the circuit {circuit.name} declares no dictionary",
            'write `dictionary a1 at attn_out 1 from "folder"` in it',
        )
    for point, count in Counter(each.stands_at for each in circuit.dictionaries).items():
        if count > 1:
            raise InputError(
                f"{circuit.name} has {count} dictionaries at {point}", "attribution takes one; leave the others out"
            )


def smooth_metric(circuit: Circuit) -> str:
    """The reading of its metric. Raises InputError for one that is no smooth function of the logits."""
    reading = figure_of(circuit.method.measured).reading
    if not has_gradient(reading):
        message = f"the metric {circuit.method.metric} of {circuit.name} has no gradient to attribute by"
        raise InputError(message, "write another in its method: logit_diff, logit_diff(against max), probability, ...")
    return reading.name


def _weights(prompts: Sequence[Prompt], shares: Mapping[str, float]) -> list[float]:
    """How much each prompt counts in a mean, as ``check`` weighs them: [prompts], with a sum of one."""
    origins = [Origin(prompt.template, place) for place, prompt in enumerate(prompts)]
    return units_of(origins, shares).weights.tolist()


# --- one pass forward and back -----------------------------------------------------------------------


@dataclass
class _Passed:
    """What a batch leaves: the metric, [prompts], of each dictionary its features' attributions where they are kept,
    zero elsewhere, [prompts, length, features], and those of its error, [prompts, length]."""

    batch: Batch
    metric: Tensor = field(default_factory=lambda: torch.empty(0))
    features: dict[Dictionary, Tensor] = field(default_factory=dict[Dictionary, Tensor])
    errors: dict[Dictionary, Tensor] = field(default_factory=dict[Dictionary, Tensor])


Hook = Callable[[Tensor, object], Tensor]


@dataclass(frozen=True)
class _Graph:
    """The linear computation graph of a model with some dictionaries in it."""

    model: Model
    dictionaries: Dictionaries
    metric: Callable[[Prompt, Tensor], Tensor]
    cut: Cut

    def run(self, batch: Batch) -> _Passed:
        passed = _Passed(batch)
        hooks = [("hook_embed", _begins), *self._constants(), *self._of_dictionaries(passed)]
        with torch.enable_grad():
            logits = self.model.bridge.run_with_hooks(batch.tokens, fwd_hooks=hooks, return_type="logits")
            rows = logits[torch.arange(len(batch)), batch.ends].float()
            metric = self._metric(batch.prompts, rows)
            metric.sum().backward()
        passed.metric = metric.detach()
        if rows.isnan().any() or not all(each.isfinite().all() for each in (passed.metric, *passed.errors.values())):
            raise InputError(
                f"{NOT_FINITE}, so that nothing can be attributed",
                "look for it in the weights, or try `--dtype float32`",
            )
        return passed

    def _metric(self, prompts: Sequence[Prompt], rows: Tensor) -> Tensor:
        """The metric of each prompt, from its logits. Raises InputError for a prompt that has none."""
        try:
            return torch.stack([self.metric(*each) for each in zip(prompts, rows, strict=True)])
        except CannotMeasure as error:
            raise InputError(str(error), "give wrong answers, or write `metric probability` in the method") from error

    def _constants(self) -> Iterator[tuple[str, Hook]]:
        """Attention patterns, and scales of norms."""
        for name in self.model.bridge.hook_dict:
            if name.endswith((".hook_pattern", ".hook_scale")):
                yield name, _constant

    def _of_dictionaries(self, passed: _Passed) -> Iterator[tuple[str, Hook]]:
        for dictionary, weights in self.dictionaries.weights.items():
            there = _There(dictionary, weights, self.cut, passed)
            if dictionary.transcoder:
                yield dictionary.reads, there.keep_read
            yield dictionary.stands_at, there.decompose


def _begins(activation: Tensor, hook: object) -> Tensor:
    """The embeddings, from which on gradients are kept."""
    return activation.detach().requires_grad_()


def _constant(activation: Tensor, hook: object) -> Tensor:
    return activation.detach()


@dataclass
class _There:
    """One dictionary in one pass."""

    dictionary: Dictionary
    weights: DictionaryWeights
    cut: Cut
    passed: _Passed
    read: Tensor | None = None

    def keep_read(self, activation: Tensor, hook: object) -> Tensor:
        self.read = activation
        return activation

    def decompose(self, activation: Tensor, hook: object) -> Tensor:
        """What stands at the point, made of features, through which gradients flow, and of an error."""
        x = activation.float()
        features = self.weights.features(x if self.read is None else self.read.float())
        through = candidate(features, self.cut, self._note)
        given = self.weights.decoded(through)
        error = (x - given).detach().requires_grad_()
        error.register_hook(partial(self._note_error, error.detach()))
        return (given + error).to(activation.dtype)

    def _note(self, attribution: Tensor, kept: Tensor) -> None:
        self.passed.features[self.dictionary] = torch.where(kept, attribution, 0.0)

    def _note_error(self, error: Tensor, gradient: Tensor) -> None:
        self.passed.errors[self.dictionary] = (error * gradient).sum(-1)


# --- sums over prompts ---------------------------------------------------------------------------------


@dataclass
class _Sums:
    """What batches leave, means over prompts, by feature and by the name of the token. ``order`` are such names."""

    order: Sequence[str]
    metric: float = 0.0
    attributed: dict[Node, float] = field(default_factory=lambda: defaultdict(float))
    shares: dict[Node, float] = field(default_factory=lambda: defaultdict(float))
    of_errors: dict[Dictionary, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, passed: _Passed, weights: Sequence[float]) -> None:
        """``weights`` [prompts] are those of the batch's prompts, of one in all."""
        self.metric += sum(weight * each for weight, each in zip(weights, passed.metric.tolist(), strict=True))
        names = [tuple(names_of(prompt.positions, len(prompt.tokens), self.order)) for prompt in passed.batch.prompts]
        for dictionary, attributions in passed.features.items():
            seen: set[tuple[int, Node]] = set()
            for row, token, index in attributions.nonzero().tolist():
                if token >= len(names[row]):
                    continue  # padding
                node = Node(Feature(dictionary, index), names[row][token])
                self.attributed[node] += weights[row] * attributions[row, token, index].item()
                seen.add((row, node))
            for row, node in seen:
                self.shares[node] += weights[row]
        for dictionary, attributions in passed.errors.items():
            by_prompt = torch.where(passed.batch.real, attributions, 0.0).sum(1).tolist()
            self.of_errors[dictionary] += sum(weight * each for weight, each in zip(weights, by_prompt, strict=True))

    def features(self) -> tuple[FeatureAttribution, ...]:
        """Strongest first."""
        found = [
            FeatureAttribution(node, total, min(1.0, self.shares[node]))  # a sum, above one by rounding
            for node, total in self.attributed.items()
        ]
        return tuple(sorted(found, key=lambda each: (-abs(each.attribution), str(each.node))))

    def errors(self) -> tuple[ErrorAttribution, ...]:
        return tuple(ErrorAttribution(*each) for each in self.of_errors.items())


def names_of(positions: Mapping[str, Sequence[int]], length: int, order: Sequence[str]) -> Iterator[Position]:
    """What a specification calls each token of a prompt: by the first name, in some order, that stands there; else by
    how far it is from the nearest name of one token before it, or, before all of them, after it. From BOS, the
    first token of any text, nothing is counted.

    >>> [str(each) for each in names_of({"S": (1,), "END": (4,)}, 5, ("S", "END"))]
    ['S-1', 'S', 'S+1', 'S+2', 'END']
    """
    named = [name for name in order if name in positions]
    single = [(positions[name][0], name) for name in named if name != BOS and len(positions[name]) == 1]
    for token in range(length):
        here = next((name for name in named if token in positions[name]), None)
        if here is not None:
            yield Position(here)
            continue
        before = max((each for each in single if each[0] < token), key=lambda each: each[0], default=None)
        place, name = before or min(single)
        yield Position(name, token - place)
