"""The planted models: which head is what, in which layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from circuitdsl.components import Geometry, Head, Neuron
from circuitdsl.models.planted import gates, parts
from circuitdsl.models.planted.parts import CAPITALISED
from circuitdsl.models.planted.vocabulary import (
    INDUCTION_WORDS,
    PLANTED_NAMES,
    Vocabulary,
    induction_vocabulary,
    task_vocabulary,
)
from circuitdsl.models.planted.wiring import (
    CLOCKS,
    JUNK,
    TEXTURES,
    HeadPlan,
    NeuronPlan,
    decoy,
    idle,
    murmurs,
    texture,
)
from circuitdsl.tasks.words import COLORS, THINGS

CONTEXT = 80

_KINDS = dict.fromkeys(PLANTED_NAMES, "name") | dict.fromkeys(COLORS, "color") | dict.fromkeys(THINGS, "thing")
_KINDS |= dict.fromkeys(CAPITALISED.values(), "Color")
_ASKS = {"to": "name", ":": "color"}


@dataclass(frozen=True)
class PlantedModel:
    """A model as planned. ``features`` names the coordinates of its residual stream.

    ``mlps`` are the neurons of each layer's MLP, but for those that murmur; a model without any is of heads alone.
    """

    name: str
    about: str
    layers: tuple[tuple[HeadPlan, ...], ...]
    spaces: tuple[tuple[str, tuple[str, ...]], ...]
    vocabulary: Vocabulary
    mlps: tuple[tuple[NeuronPlan, ...], ...] = ()

    @property
    def neurons(self) -> dict[Neuron, NeuronPlan]:
        """Those of all MLPs; the first of each murmur."""
        return {
            Neuron(layer, index): plan
            for layer, plans in enumerate(self.mlps)
            for index, plan in enumerate((*murmurs(), *plans))
        }

    @property
    def heads(self) -> dict[Head, HeadPlan]:
        return {Head(layer, index): plan for layer, plans in enumerate(self.layers) for index, plan in enumerate(plans)}

    @cached_property
    def features(self) -> tuple[str, ...]:
        named = tuple(f"{space}:{label}" for space, labels in self.spaces for label in labels)
        clocks = tuple(f"{hand}:{number}" for number in range(1, CLOCKS + 1) for hand in ("cos", "sin"))
        return named + clocks + tuple(texture(number) for number in range(TEXTURES)) + JUNK

    @property
    def geometry(self) -> Geometry:
        return Geometry(
            model=self.name,
            n_layers=len(self.layers),
            n_heads=len(self.layers[0]),
            n_kv_heads=len(self.layers[0]),
            d_model=len(self.features),
            d_head=max(plan.width for plans in self.layers for plan in plans),
            d_mlp=TEXTURES + max(map(len, self.mlps)) if self.mlps else 0,
            d_vocab=len(self.vocabulary.tokens),
            n_ctx=CONTEXT,
        )

    def token_features(self, token: str) -> tuple[str, ...]:
        """The features of value 1 that the embedding of ``token`` has, beside its own word."""
        kinds = (f"kind:{_KINDS[token]}",) if token in _KINDS else ()
        asks = (f"asks:{_ASKS[token]}",) if token in _ASKS else ()
        return tuple(name for name in ("constant:one", *kinds, *asks) if name in self.features)


_SPACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("constant", ("one",)),
    ("word", PLANTED_NAMES + COLORS + THINGS),
    ("kind", ("name", "color", "thing", "Color")),
    ("asks", ("name", "color")),
    ("previous", PLANTED_NAMES + COLORS),
    ("seen", PLANTED_NAMES),
    ("late", ("here",)),
    ("query", THINGS),
    ("inhibit", PLANTED_NAMES + COLORS),
    ("answer", PLANTED_NAMES + tuple(CAPITALISED.values())),
)

_INDUCTION_SPACES = tuple((space, INDUCTION_WORDS) for space in ("word", "previous", "answer"))


def _reuse() -> PlantedModel:
    previous, duplicate, induction = parts.previous_token(), parts.duplicate_token(), parts.induction()
    gatherer, inhibition, mover = parts.content_gatherer(), parts.inhibition(), parts.mover()
    backup = parts.backup_mover()
    return PlantedModel(
        name="planted-reuse",
        about="IOI and Colored Objects by hand, with the same mover heads",
        layers=(
            (idle(0), previous, duplicate, parts.scene(), previous, idle(1)),
            (induction, gatherer, idle(2), duplicate, induction, gatherer),
            (decoy(inhibition), inhibition, parts.name_inhibition(), idle(3), parts.color_inhibition(), idle(4)),
            (idle(5), decoy(mover), mover, idle(6), decoy(gatherer), idle(7)),
            (mover, idle(0), idle(1), parts.negative_mover(), decoy(mover), idle(2)),
            (idle(3), backup, decoy(mover), backup, idle(4), idle(5)),
        ),
        spaces=_SPACES,
        vocabulary=task_vocabulary(),
    )


def _ioi() -> PlantedModel:
    previous, duplicate, induction = parts.previous_token(), parts.duplicate_token(), parts.induction()
    inhibition, mover, backup = parts.name_inhibition(), parts.mover(), parts.backup_mover()
    return PlantedModel(
        name="planted-ioi",
        about="indirect object identification by hand",
        layers=(
            (previous, idle(0), idle(1), duplicate, previous),
            (duplicate, induction, induction, idle(2), decoy(duplicate)),
            (idle(3), inhibition, decoy(inhibition), inhibition, idle(4)),
            (mover, idle(5), mover, decoy(mover), idle(6)),
            (backup, idle(7), parts.negative_mover(), backup, decoy(mover)),
        ),
        spaces=_SPACES,
        vocabulary=task_vocabulary(),
    )


def _colors() -> PlantedModel:
    previous, gatherer, inhibition = parts.previous_token(), parts.content_gatherer(), parts.color_inhibition()
    mover, backup = parts.mover(), parts.backup_mover()
    return PlantedModel(
        name="planted-colors",
        about="Colored Objects by hand",
        layers=(
            (idle(0), previous, parts.scene(), previous, idle(1)),
            (gatherer, idle(2), gatherer, decoy(gatherer), idle(3)),
            (decoy(inhibition), inhibition, idle(4), idle(5), inhibition),
            (idle(6), mover, decoy(mover), idle(7), mover),
            (idle(0), idle(1), backup, decoy(mover), backup),
        ),
        spaces=_SPACES,
        vocabulary=task_vocabulary(),
    )


def _broken() -> PlantedModel:
    previous, duplicate, induction = parts.previous_token(), parts.duplicate_token(), parts.induction()
    inhibition, mover, backup = parts.unfocused_inhibition(), parts.mover(), parts.backup_mover()
    return PlantedModel(
        name="planted-broken",
        about="IOI by hand; Colored Objects fails for want of one thing: its inhibition heads look in the wrong place",
        layers=(
            (previous, idle(0), duplicate, idle(1), previous, idle(2), idle(3), idle(4)),
            (idle(5), duplicate, induction, idle(6), idle(7), induction, idle(0), decoy(duplicate)),
            (inhibition, decoy(inhibition), idle(1), inhibition, idle(2), idle(3), idle(4), decoy(duplicate)),
            (idle(5), mover, idle(6), decoy(mover), mover, idle(7), idle(0), idle(1)),
            (idle(2), backup, parts.negative_mover(), idle(3), decoy(mover), idle(4), backup, idle(5)),
        ),
        spaces=_SPACES,
        vocabulary=task_vocabulary(),
    )


def _induction() -> PlantedModel:
    previous, induction = parts.previous_token(INDUCTION_WORDS), parts.induction_mover()
    backup = parts.backup_induction()
    return PlantedModel(
        name="planted-induction",
        about="induction by hand: previous-token heads, induction heads",
        layers=(
            (previous, idle(0), idle(1), previous),
            (idle(2), induction, decoy(induction), induction),
            (backup, idle(3), backup, decoy(induction)),
        ),
        spaces=_INDUCTION_SPACES,
        vocabulary=induction_vocabulary(),
    )


def _mlps() -> PlantedModel:
    previous, twin, again = parts.previous_token(PLANTED_NAMES), gates.twin(), gates.again()
    caller, finder = gates.caller(), gates.finder()
    return PlantedModel(
        name="planted-mlps",
        about="IOI by hand, in which MLPs find, steer and say what heads only bring",
        layers=(
            (idle(0), previous, previous, idle(1)),
            (twin, idle(2), decoy(twin), again),
            (decoy(caller), caller, idle(3), caller),
            (finder, decoy(finder), finder, idle(4)),
            (idle(5), decoy(finder), idle(6), idle(7)),
            (idle(0), idle(1), decoy(caller), idle(2)),
        ),
        mlps=(
            (),
            gates.both(),
            gates.inhibit(),
            gates.say(),
            gates.decoy(gates.say()),
            gates.backup() + gates.negative(),
        ),
        spaces=(
            ("constant", ("one",)),
            ("kind", ("name",)),
            ("asks", ("name",)),
            *((space, PLANTED_NAMES) for space in gates.SPACES),
        ),
        vocabulary=task_vocabulary(),
    )


PLANTED: Mapping[str, Callable[[], PlantedModel]] = {
    "planted-reuse": _reuse,
    "planted-ioi": _ioi,
    "planted-colors": _colors,
    "planted-broken": _broken,
    "planted-induction": _induction,
    "planted-mlps": _mlps,
}
