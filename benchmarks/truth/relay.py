"""Random planted models: a word is passed on from place to place and becomes the answer, and what is true is known.

A relay has stages. The heads of stage i stand at place i, look a fixed distance back to place i - 1, and copy the word
that they find there, each by a share of its own; the last stage stands at END and writes the answer. An MLP may add to
what a stage wrote. All other heads are decoys, which attend as a working head and write what nothing reads; noise,
which writes on the answers at random so that it helps none on average; or idle. Words are drawn uniformly, and heads
are linear where their attention is settled, so that every effect is an average over words: see ``Relay``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from circuitdsl.components import ALL, END, Component, Geometry, Head, Mlp, Position
from circuitdsl.measures.measurement import Array
from circuitdsl.models.planted.plans import PlantedModel
from circuitdsl.models.planted.vocabulary import SPECIAL, Vocabulary
from circuitdsl.models.planted.wiring import (
    HeadPlan,
    NeuronPlan,
    Wire,
    decoy,
    feature,
    idle,
    one,
    tokens_back,
)
from circuitdsl.tasks.words import NAMES

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

WORDS = NAMES[:24]
NAME = "relay"
STRENGTH = 90.0  # of attention: the place beside the one looked at gets e^-11 of it
LEADS = 4  # templates, told apart by how many words come before the source
COUNTERFACTUAL = "other"


@dataclass(frozen=True)
class Stage:
    """Heads that do one job: each copies the word by its ``gains`` [words]; ``mlp`` is a layer with gains, or None."""

    place: Position
    distance: int
    heads: dict[Head, Array]
    mlp: tuple[int, Array] | None = None

    @property
    def gained(self) -> Array:
        """What the MLP makes of the heads' copies, [words]."""
        return np.ones(len(WORDS)) if self.mlp is None else 1 + self.mlp[1]


@dataclass(frozen=True)
class Relay:
    """A random model with its truth. ``noise`` is the spread of what was added to all weights."""

    planted: PlantedModel
    stages: tuple[Stage, ...]
    others: dict[Head, str]
    noise: float

    # --- truth -----------------------------------------------------------------------------------
    #
    # On a prompt whose answer is the word w the metric is, on average over all else, l(w) times the product over stages
    # of what they pass on of w. So F is the mean of that over words, and what a part does is the mean of the same with
    # that part in place of its stage, over F.

    @property
    def metric(self) -> float:
        """F, in logits."""
        return self._average([_all(stage) for stage in self.stages])

    def kept(self, components: Collection[Component], mlps: bool) -> float:
        """The share of F that is left when only these work; MLPs work in any case unless ``mlps`` counts them too."""

        def of(stage: Stage) -> Array:
            works = stage.mlp is not None and (not mlps or Mlp(stage.mlp[0]) in components)
            return _copied(stage, components) * (stage.gained if works else 1)

        return self._average(map(of, self.stages)) / self.metric

    def lost(self, components: Collection[Component]) -> float:
        """The share of F that is lost when these are taken away."""
        return 1 - self._left(components, range(len(self.stages)))

    def lost_at(self, nodes: Iterable[tuple[Component, Position]]) -> float:
        """The same of components at positions: away from its stage's place none does anything."""
        return self.lost({component for component, place in nodes if place in (ALL, self.place_of(component))})

    def added(self, component: Component, circuit: Collection[Component], mlps: bool) -> float:
        """Minimality: what a component adds to a circuit of which it is a part, as a share of F."""
        return self.kept(circuit, mlps) - self.kept(set(circuit) - {component}, mlps)

    def sent(self, senders: Collection[Component], receivers: Collection[Component] | None) -> float:
        """The share of F that goes from senders by the values of receivers of the next stage; None for the logits."""
        total = 0.0
        for number, stage in enumerate(self.stages):
            ours = _copied(stage, senders) * stage.gained
            if stage.mlp is not None and Mlp(stage.mlp[0]) in senders:
                ours = ours + stage.mlp[1] * (_copied(stage, stage.heads) - _copied(stage, senders))
            parts = [_all(each) for each in self.stages]
            parts[number] = ours
            if receivers is not None:
                if number + 1 == len(self.stages):
                    continue
                reached = self.stages[number + 1]
                parts[number + 1] = _copied(reached, receivers) * reached.gained
            elif number + 1 < len(self.stages):
                continue
            total += self._average(parts) / self.metric
        return total

    def place_of(self, component: Component) -> Position:
        """Where a component works; END for one that does not."""
        for stage in self.stages:
            if component in stage.heads or (stage.mlp is not None and component == Mlp(stage.mlp[0])):
                return stage.place
        return END

    def _left(self, gone: Collection[Component], stages: range) -> float:
        parts: list[Array] = []
        for number in stages:
            stage = self.stages[number]
            kept = stage.mlp is None or Mlp(stage.mlp[0]) not in gone
            parts.append(_copied(stage, set(stage.heads) - set(gone)) * (stage.gained if kept else 1))
        return self._average(parts) / self.metric

    def _average(self, parts: Iterable[Array]) -> float:
        loudness = np.array(self.planted.vocabulary.loudness[len(SPECIAL) : len(SPECIAL) + len(WORDS)])
        return float(np.mean(loudness * np.prod(list(parts), axis=0)))

    # --- the model and its prompts ---------------------------------------------------------------

    @property
    def geometry(self) -> Geometry:
        return self.planted.geometry

    def build(self) -> TransformerBridge:
        """The model for TransformerLens: no norms, MLPs with ReLU."""
        return _build(self)

    def prompts(self, count: int, seed: int) -> str:
        """So many prompts as lines of JSON; all words are drawn uniformly, those of a prompt are different ones."""
        rng = random.Random(f"relay {seed}")
        return "".join(json.dumps(self._prompt(number % LEADS, rng)) + "\n" for number in range(count))

    def _prompt(self, lead: int, rng: random.Random) -> dict[str, object]:
        length = 1 + sum(stage.distance for stage in self.stages)
        answer, wrong, third = rng.sample(WORDS, 3)

        def words(source: str) -> list[str]:
            rest = rng.sample([word for word in WORDS if word != source], lead + length - 1)
            return [*rest[:lead], source, *rest[lead:]]

        ours, theirs = words(answer), words(third)
        spans: dict[str, tuple[int, int]] = {}
        at = lead
        for stage in self.stages[:-1]:
            at += stage.distance
            start = sum(len(word) + 1 for word in ours[:at])
            spans[stage.place.name] = (start, start + len(ours[at]))
        return {
            "prompt": " ".join(ours),
            "answer": f" {answer}",
            "wrong": [f" {wrong}"],
            "positions": spans,
            "counterfactuals": {COUNTERFACTUAL: " ".join(theirs)},
            "template": f"lead {lead}",
        }


def _copied(stage: Stage, heads: Collection[Component]) -> Array:
    """What of the word some heads of the stage pass on, [words]."""
    return sum((gains for head, gains in stage.heads.items() if head in heads), np.zeros(len(WORDS)))


def _all(stage: Stage) -> Array:
    return _copied(stage, stage.heads) * stage.gained


# --- drawing one -------------------------------------------------------------------------------------


def random_relay(seed: int) -> Relay:
    """A relay of 2 to 5 layers of 3 to 6 heads."""
    rng = np.random.default_rng([seed, 7])
    layers, width = int(rng.integers(2, 6)), int(rng.integers(3, 7))
    number = int(rng.integers(2, layers + 1))
    noise = float(rng.choice([0.0, 0.0, 0.0002]))
    return _relay_of(rng, layers, width, number, noise)


def crowded_relay(seed: int, quiet: int, share: float) -> Relay:
    """A relay of two stages in three layers of 8 heads, whose last stage has in one layer a loud head and ``quiet``
    ones, each of which carries about a ``share`` of the metric. All others are decoys, noise or idle."""
    rng = np.random.default_rng([seed, 9])
    first, last = Head(0, int(rng.integers(8))), [Head(2, int(index)) for index in rng.permutation(8)[: quiet + 1]]
    shares = [1 - quiet * share, *[share] * quiet]
    gains = {head: each * np.exp(rng.normal(0, 0.3, len(WORDS))) for head, each in zip(last, shares, strict=True)}
    source = Stage(Position("P1"), 2, {first: np.exp(rng.normal(0, 0.3, len(WORDS)))})
    return _relay_with(rng, 3, 8, (source, Stage(END, 3, gains)), 0.0, loudest=0.1)


@dataclass(frozen=True, kw_only=True)
class _Padded(PlantedModel):
    """A planted model of a larger shape, of whose coordinates and neurons it uses some."""

    d_model: int
    d_head: int
    d_mlp: int

    @cached_property
    def features(self) -> tuple[str, ...]:
        own = super().features
        return (*own, *(f"unused:{number}" for number in range(self.d_model - len(own))))

    @property
    def geometry(self) -> Geometry:
        return replace(super().geometry, d_head=self.d_head, d_mlp=self.d_mlp)


def shaped_relay(seed: int, stages: int, shape: Geometry) -> Relay:
    """A relay of so many stages in a model of the layers, heads, widths and vocabulary of a ``shape``. It has small
    random weights everywhere, and neither norms nor biases; its MLPs have ReLU. Its many noisy heads write little
    each."""
    relay = _relay_of(np.random.default_rng([seed, 8]), shape.n_layers, shape.n_heads, stages, 0.0002, loudest=0.1)
    own, vocabulary = relay.planted, relay.planted.vocabulary
    further = shape.d_vocab - len(vocabulary.tokens)
    tokens = (*vocabulary.tokens, *(f"unused{number}" for number in range(further)))
    padded = _Padded(
        name=shape.model,
        about=own.about,
        layers=own.layers,
        spaces=own.spaces,
        vocabulary=Vocabulary(tokens, (*vocabulary.loudness, *[1.0] * further)),
        mlps=own.mlps,
        d_model=shape.d_model,
        d_head=shape.d_head,
        d_mlp=shape.d_mlp,
    )
    return replace(relay, planted=padded)


def _relay_of(
    rng: np.random.Generator, layers: int, width: int, number: int, noise: float, loudest: float = 1.0
) -> Relay:
    """A relay of so many layers of so many heads, in a ``number`` of stages. Heads that are noise write by ``loudest``
    at most."""
    starts = [0, *sorted(rng.choice(np.arange(1, layers), number - 1, replace=False).tolist()), layers]
    spread = float(rng.uniform(0.2, 0.8))
    stages = tuple(
        _random_stage(rng, place, range(starts[place], starts[place + 1]), width, spread, last=place + 1 == number)
        for place in range(number)
    )
    return _relay_with(rng, layers, width, stages, noise, loudest)


def _relay_with(
    rng: np.random.Generator, layers: int, width: int, stages: tuple[Stage, ...], noise: float, loudest: float
) -> Relay:
    number = len(stages)
    plans = {head: _copier(number, stage, head) for number, stage in enumerate(stages) for head in stage.heads}
    # The last stage's own space is that of the answers.
    plans = {head: _renamed(plan, f"relay{number - 1}", "answer") for head, plan in plans.items()}
    others = {
        Head(layer, index): str(rng.choice(["decoy", "noise", "idle"]))
        for layer in range(layers)
        for index in range(width)
        if Head(layer, index) not in plans
    }
    loud = float(np.exp(rng.uniform(np.log(0.05), np.log(loudest))))
    for head, kind in others.items():
        plans[head] = _other(rng, kind, [plan for plan in plans.values() if plan.name == "copier"], loud)
    return Relay(_planted(rng, plans, layers, width, stages), stages, others, noise)


def _random_stage(rng: np.random.Generator, number: int, layers: range, width: int, spread: float, last: bool) -> Stage:
    room = [Head(layer, index) for layer in layers for index in range(width)]
    heads = [room[place] for place in rng.choice(len(room), int(rng.integers(1, min(5, len(room)))), replace=False)]
    # Shares from less than a hundredth to nearly all.
    shares = np.exp(rng.uniform(np.log(0.003), 0, len(heads)))
    total = float(rng.uniform(0.8, 1.2))
    gains = {
        head: total * share / shares.sum() * np.exp(rng.normal(0, spread, len(WORDS)))
        for head, share in zip(sorted(heads), shares, strict=True)
    }
    # An MLP is linear on what is never negative, which answers are, where noise is written on them.
    works = not last and rng.random() < 0.4
    mlp = (layers[-1], rng.uniform(0.05, 0.8) * np.exp(rng.normal(0, spread, len(WORDS)))) if works else None
    place = END if last else Position(f"P{number + 1}")
    return Stage(place, int(rng.integers(1, 4)), gains, mlp)


def _copier(number: int, stage: Stage, head: Head) -> HeadPlan:
    source, target = ("word" if number == 0 else f"relay{number - 1}"), f"relay{number}"
    moves = tuple(
        Wire(one(feature(source, word), float(gain)), one(feature(target, word)))
        for word, gain in zip(WORDS, stage.heads[head], strict=True)
    )
    return HeadPlan("copier", tokens_back(stage.distance, STRENGTH), moves)


def _renamed(plan: HeadPlan, old: str, new: str) -> HeadPlan:
    """The plan with one of the spaces that it writes called otherwise."""

    def renamed(wire: Wire) -> Wire:
        return Wire(wire.source, tuple((name.replace(f"{old}:", f"{new}:"), weight) for name, weight in wire.target))

    return replace(plan, moves=tuple(map(renamed, plan.moves)))


def _other(rng: np.random.Generator, kind: str, copiers: list[HeadPlan], loud: float) -> HeadPlan:
    """A head that does nothing for the answer."""
    model = copiers[int(rng.integers(len(copiers)))]
    if kind == "decoy":
        return decoy(model)
    if kind == "idle":
        return idle(int(rng.integers(8)))
    written = rng.normal(0, loud, (len(WORDS), len(WORDS)))
    np.fill_diagonal(written, 0)
    # What it writes on the word that it reads is what it writes on the others on average.
    np.fill_diagonal(written, written.sum(axis=1) / (len(WORDS) - 1))
    moves = tuple(
        Wire(
            one(feature("word", word)),
            tuple((feature("answer", to), float(weight)) for to, weight in zip(WORDS, row, strict=True)),
        )
        for word, row in zip(WORDS, written, strict=True)
    )
    return HeadPlan("noise", model.attends, moves)


def _planted(
    rng: np.random.Generator, plans: dict[Head, HeadPlan], layers: int, width: int, stages: Sequence[Stage]
) -> PlantedModel:
    loudness = (*[1.0] * len(SPECIAL), *map(float, rng.uniform(0.85, 1.15, len(WORDS))))
    relays = tuple((f"relay{number}", WORDS) for number in range(len(stages) - 1))
    return PlantedModel(
        name=NAME,
        about="a word passed on from place to place",
        layers=tuple(tuple(plans[Head(layer, index)] for index in range(width)) for layer in range(layers)),
        spaces=(("constant", ("one",)), ("word", WORDS), *relays, ("answer", WORDS)),
        vocabulary=Vocabulary((*SPECIAL, *WORDS), loudness),
        mlps=tuple(_neurons(stages, layer) for layer in range(layers)),
    )


# --- weights -----------------------------------------------------------------------------------------


def _build(relay: Relay) -> TransformerBridge:
    import torch

    from circuitdsl.models.planted.build import build

    bridge = build(relay.planted)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in bridge.named_parameters():
            own = name.replace("_original_component.", "")
            if own.startswith("layers.") and own.endswith("weight"):
                parameter.add_(relay.noise * torch.randn(parameter.shape, generator=generator))
    return bridge


def _neurons(stages: Sequence[Stage], layer: int) -> tuple[NeuronPlan, ...]:
    """Those of a layer's MLP: they add to a stage's copies, or are silent."""
    for number, stage in enumerate(stages):
        if stage.mlp is not None and stage.mlp[0] == layer:
            copies = (feature(f"relay{number}", word) for word in WORDS)
            gains = zip(copies, stage.mlp[1], strict=True)
            return tuple(NeuronPlan("adder", one(copy), 0.0, one(copy, float(gain))) for copy, gain in gains)
    return (NeuronPlan("silent", (), 0.0, ()),) * len(WORDS)
