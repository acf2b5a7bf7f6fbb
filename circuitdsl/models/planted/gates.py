"""The parts of ``planted-mlps``: MLPs whose neurons each detect something that is written down here.

IOI as the other planted models do it, but heads only bring names from one place to another. Spaces of the residual
stream, in the order in which they are written:

    word       the name that stands here
    previous   the name one token before                                         (head previous_token)
    twin       at a name: the same name stood before                             (head twin)
    again      at a name: it was followed before by a token that says so         (head again)
    repeated   at a name: both of the above say it                               (MLP both)
    called     at the end: the name that is repeated                             (head caller)
    inhibit    at the end of a prompt that asks for a name: not this name        (MLP inhibit)
    found      at the end: the name looked at, which is not inhibited            (head finder)
    answer     at the end: the answer                                            (MLPs say, backup, negative)

Each MLP has one neuron a name, in the order of the names. A threshold makes a neuron of ``both`` say that both are
there: it is above what either says by itself, since a word's own feature is 0.85 to 1.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from circuitdsl.models.planted.vocabulary import PLANTED_NAMES as NAMES
from circuitdsl.models.planted.wiring import (
    JUNK,
    Direction,
    HeadPlan,
    NeuronPlan,
    Wire,
    each,
    feature,
    one,
    tokens_back,
    total,
)

SPACES = ("word", "previous", "twin", "again", "repeated", "called", "inhibit", "found", "answer")
"""Those that hold a coordinate for every name."""

# --- heads -------------------------------------------------------------------------------------------


def twin() -> HeadPlan:
    """At a name: attend to the same name, not to itself, and write it."""
    return HeadPlan(
        "twin",
        attends=each("word", "word", NAMES, 14) + tokens_back(0, -24),
        moves=each("word", "twin", NAMES, 1.0),
    )


def again() -> HeadPlan:
    """At a name: attend to the token that followed it before, and write the name."""
    return HeadPlan("again", attends=each("word", "previous", NAMES, 10), moves=each("previous", "again", NAMES, 1.0))


def caller() -> HeadPlan:
    """Half of: at the end, attend to the name that is repeated, and bring it."""
    return HeadPlan(
        "caller",
        attends=(Wire(one("asks:name", 16), total("repeated", NAMES)),),
        moves=each("repeated", "called", NAMES, 0.5),
    )


def finder() -> HeadPlan:
    """Half of: at the end, attend to names that are not inhibited, and bring them."""
    return HeadPlan(
        "finder",
        attends=(Wire(one("asks:name", 10), one("kind:name")), *each("inhibit", "word", NAMES, -4.5)),
        moves=each("word", "found", NAMES, 0.5),
    )


# --- MLPs --------------------------------------------------------------------------------------------


def _a_neuron_a_name(
    name: str, reads: Callable[[str], Direction], threshold: float, writes: Callable[[str], Direction]
) -> tuple[NeuronPlan, ...]:
    return tuple(NeuronPlan(name, reads(label), threshold, writes(label)) for label in NAMES)


def _of(space: str, weight: float = 1.0) -> Callable[[str], Direction]:
    return lambda label: one(feature(space, label), weight)


def both() -> tuple[NeuronPlan, ...]:
    """An AND of two heads: that the name stood before is told by ``twin`` and by ``again``."""
    return _a_neuron_a_name("both", lambda name: (*_of("twin")(name), *_of("again")(name)), 1.25, _of("repeated"))


def inhibit() -> tuple[NeuronPlan, ...]:
    """An AND of a head and of the token that stands here: the name is repeated, and a name is asked for."""
    return _a_neuron_a_name(
        "inhibit", lambda name: (*_of("called")(name), ("asks:name", 1.0)), 1.0, _of("inhibit", 2.0)
    )


def say() -> tuple[NeuronPlan, ...]:
    """A mover: the name that was found is the answer."""
    return _a_neuron_a_name("say", _of("found"), 0.25, _of("answer", 6.0))


def backup() -> tuple[NeuronPlan, ...]:
    """Redundant: say what ``say`` says, unless that has said it."""
    return _a_neuron_a_name(
        "backup", lambda name: (*_of("found")(name), *_of("answer", -0.5)(name)), 0.25, _of("answer", 3.0)
    )


def negative() -> tuple[NeuronPlan, ...]:
    """Speak against what was said."""
    return _a_neuron_a_name("negative", _of("answer"), 0.5, _of("answer", -0.25))


def decoy(of: Sequence[NeuronPlan]) -> tuple[NeuronPlan, ...]:
    """Neurons that detect exactly what others do and write what nothing reads."""
    return tuple(
        replace(plan, name=f"decoy of {plan.name}", writes=one(JUNK[number % len(JUNK)]))
        for number, plan in enumerate(of)
    )
