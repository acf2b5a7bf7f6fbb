"""How a planted head is written down: which features it looks for, and which it moves where.

The residual stream of a planted model has one coordinate for each named feature, ``space:label``: ``word:Mary`` says
that Mary stands here, ``previous:Mary`` that Mary stands one token before, ``answer:Mary`` that Mary comes next.
Without norms a head is then two short lists of wires. A wire of its attention adds
``strength * (query features . query residual) * (key features . key residual)`` to the score; a wire of its moves adds
``strength * (features read at the key)`` to the features that it writes at the query. A neuron of an MLP is a sum of
features that it reads, a threshold, and the features that it writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Direction = tuple[tuple[str, float], ...]
"""A weighted sum of features, read from the residual stream or written to it."""

CLOCKS = 16
"""How many clocks tell the position, each a hand that turns at its own speed."""

CLOCK_RANGE = 88
"""Tokens until all clocks repeat: longer than any context, so that the end is never beside the start."""


@dataclass(frozen=True)
class Wire:
    """One product of a head: ``source`` is the query's (attention) or is read (moves), ``target`` the other."""

    source: Direction
    target: Direction


@dataclass(frozen=True)
class HeadPlan:
    """One planted head. ``name`` says what it is for; heads of one name do the same job."""

    name: str
    attends: tuple[Wire, ...]
    moves: tuple[Wire, ...]

    @property
    def scores(self) -> tuple[Wire, ...]:
        """``attends`` with the wires to one target joined, so that each takes one dimension of the head."""
        sources: dict[Direction, Direction] = {}
        for wire in self.attends:
            sources[wire.target] = sources.get(wire.target, ()) + wire.source
        return tuple(Wire(source, target) for target, source in sources.items())

    @property
    def writes(self) -> tuple[Wire, ...]:
        """``moves``, and a murmur that nothing reads: as in a trained model, no head is ever quite silent."""
        return self.moves + tuple(
            Wire(one(texture(number)), one(feature("junk", number))) for number in range(TEXTURES)
        )

    @property
    def width(self) -> int:
        """How many dimensions the head needs."""
        return max(len(self.scores), len(self.writes))


@dataclass(frozen=True)
class NeuronPlan:
    """One planted neuron: it is ``reads . residual - threshold`` where that is above 0 (ReLU), and 0 elsewhere, and
    adds as much of ``writes``. Neurons of one name do the same job."""

    name: str
    reads: Direction
    threshold: float
    writes: Direction


def feature(space: str, label: str | int) -> str:
    return f"{space}:{label}"


def one(name: str, weight: float = 1.0) -> Direction:
    """A single feature, by its full name."""
    return ((name, weight),)


def total(space: str, labels: Iterable[str], weight: float = 1.0) -> Direction:
    """The sum of a space's features: how much of any of them there is."""
    return tuple((feature(space, label), weight) for label in labels)


def each(source: str, target: str, labels: Iterable[str], strength: float) -> tuple[Wire, ...]:
    """A wire for each label, from that feature of one space to the same of another."""
    return tuple(Wire(one(feature(source, label), strength), one(feature(target, label))) for label in labels)


def renamed(source: str, target: str, labels: Mapping[str, str], strength: float) -> tuple[Wire, ...]:
    """A wire for each pair of labels: what is called ``key`` in one space is called ``value`` in the other."""
    return tuple(Wire(one(feature(source, old), strength), one(feature(target, new))) for old, new in labels.items())


# --- positions ---------------------------------------------------------------------------------------


def clock_weights(width: float = 2.0) -> tuple[float, ...]:
    """The share of each clock, such that two positions' match is a bell over their distance of that ``width``."""
    spread = CLOCK_RANGE / (2 * math.pi * width)
    bell = [math.exp(-0.5 * (number / spread) ** 2) for number in range(1, CLOCKS + 1)]
    return tuple(value / sum(bell) for value in bell)


def clock_features(position: int) -> dict[str, float]:
    """What the positional embedding writes: each clock's hand, its square length the clock's share."""
    written: dict[str, float] = {}
    for number, weight in enumerate(clock_weights(), start=1):
        angle = 2 * math.pi * number * position / CLOCK_RANGE
        written[feature("cos", number)] = math.sqrt(weight) * math.cos(angle)
        written[feature("sin", number)] = math.sqrt(weight) * math.sin(angle)
    return written


def tokens_back(distance: int, strength: float) -> tuple[Wire, ...]:
    """Attend ``distance`` tokens back: turn the query's clocks back and compare them with the key's.

    The score is ``strength`` there and falls in a bell of width 2 on either side, to 0.88 of it one token off.
    """
    wires: list[Wire] = []
    for number in range(1, CLOCKS + 1):
        angle = 2 * math.pi * number * distance / CLOCK_RANGE
        cos, sin = feature("cos", number), feature("sin", number)
        turned_cos = ((cos, strength * math.cos(angle)), (sin, strength * math.sin(angle)))
        turned_sin = ((sin, strength * math.cos(angle)), (cos, -strength * math.sin(angle)))
        wires += [Wire(turned_cos, one(cos)), Wire(turned_sin, one(sin))]
    return tuple(wires)


# --- heads without a purpose ---------------------------------------------------------------------------

TEXTURES = 8
"""Features that tell every token from every other and mean nothing."""


def texture(number: int) -> str:
    return feature("texture", number)


def idle(number: int) -> HeadPlan:
    """A head that looks about ``3 + number`` tokens back, broadly, and writes what nothing reads."""
    return HeadPlan("idle", attends=tokens_back(distance=3 + number, strength=2.0), moves=())


def murmurs() -> tuple[NeuronPlan, ...]:
    """The first neurons of every planted MLP: as its heads, no MLP is ever quite silent."""
    return tuple(NeuronPlan("murmur", one(texture(n)), 0.0, one(JUNK[n])) for n in range(TEXTURES))


def decoy(of: HeadPlan) -> HeadPlan:
    """A head that attends exactly as ``of`` does and writes what nothing reads."""
    return HeadPlan(f"decoy of {of.name}", attends=of.attends, moves=())


JUNK: tuple[str, ...] = tuple(feature("junk", number) for number in range(TEXTURES))
