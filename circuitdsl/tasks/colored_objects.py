"""Colored Objects: three things of three colours, and the question what colour one of them is.

The task of Merullo et al. 2024 (arXiv:2310.08744) after BIG-bench, in their exact form: the prompt opens with a
worked example whose things and colours do not come again (``shots: 1``), or goes without (``shots: 0``).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import whole_number
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import Span, TextPrompt
from circuitdsl.tasks.words import COLORS, SIGHTINGS, SURFACES, THINGS, article, fill

_SCENE = (
    "Q: On the {SURFACE}, {SIGHTING} {A1} {C1} {O1}, {A2} {C2} {O2}, and {A3} {C3} {O3}. What color is the {QUERY}?\nA:"
)

TEMPLATES: tuple[str, ...] = tuple(f"{surface}-{sighting}" for surface in SURFACES for sighting in SIGHTINGS)
"""One for each place and wording of the scene in question: ``table-there is``, ..."""


@dataclass(frozen=True)
class Pools:
    """The words to draw from: all of the task's, or those that one tokenizer has as single tokens."""

    colors: tuple[str, ...] = COLORS
    things: tuple[str, ...] = THINGS


@dataclass(frozen=True)
class Scene:
    """Three coloured things somewhere, and which of them (0, 1, 2) is asked for."""

    surface: str
    sighting: str
    colors: tuple[str, ...]
    things: tuple[str, ...]
    query: int

    def answer(self) -> str:
        """The colour asked for, as it continues the text."""
        return f" {self.colors[self.query].capitalize()}"

    def with_colors_exchanged(self, other: int) -> Scene:
        """The same question of a scene in which the thing asked for and another one have each other's colours."""
        return replace(self, colors=_exchanged(self.colors, self.query, other))

    def with_things_exchanged(self, other: int) -> Scene:
        """The same question of a scene in which the thing asked for and another one have each other's places."""
        return replace(self, things=_exchanged(self.things, self.query, other), query=other)

    def write(self) -> tuple[str, dict[str, Span]]:
        """The text up to the last ``A:`` and the spans of its words."""
        words = {"SURFACE": self.surface, "SIGHTING": self.sighting, "QUERY": self.things[self.query]}
        for number, (color, thing) in enumerate(zip(self.colors, self.things, strict=True), start=1):
            words |= {f"A{number}": article(color), f"C{number}": color, f"O{number}": thing}
        return fill(_SCENE, words)


def _exchanged(words: tuple[str, ...], one: int, other: int) -> tuple[str, ...]:
    places = list(range(len(words)))
    places[one], places[other] = other, one
    return tuple(words[place] for place in places)


def draw_text(template: str, pools: Pools, rng: random.Random, shots: int) -> TextPrompt:
    """One prompt of ``template`` after ``shots`` worked examples, 0 or 1; each scene takes three colours and things."""
    colors = rng.sample(pools.colors, 3 * (shots + 1))
    things = rng.sample(pools.things, 3 * (shots + 1))
    surface, sighting = template.split("-")
    query, other = rng.sample(range(3), 2)
    scene = Scene(surface, sighting, tuple(colors[:3]), tuple(things[:3]), query)
    asked_other = replace(scene, query=other)
    lead, lead_spans = "", {}
    if shots:
        example = Scene(
            rng.choice(SURFACES), rng.choice(SIGHTINGS), tuple(colors[3:]), tuple(things[3:]), rng.randrange(3)
        )
        written, lead_spans = example.write()
        lead = f"{written}{example.answer()}\n"
    text, spans = scene.write()
    shifted = {name: (start + len(lead), end + len(lead)) for name, (start, end) in spans.items()}
    slots = ("C1", "C2", "C3", "O1", "O2", "O3")
    answer_slot = f"C{query + 1}"
    return TextPrompt(
        text=lead + text,
        answer=scene.answer(),
        wrong=(asked_other.answer(),),
        options=tuple(f" {color.capitalize()}" for color in scene.colors),
        spans={slot: (shifted[slot],) for slot in slots}
        | {f"X_{slot}": (lead_spans[slot],) for slot in slots if shots}
        | {
            "ANSWER_COLOR": (shifted[answer_slot],),
            "DISTRACTORS": tuple(shifted[slot] for slot in slots[:3] if slot != answer_slot),
            "QUERY": (shifted["QUERY"],),
        },
        counterfactuals={
            "other_query": lead + asked_other.write()[0],
            "exchanged_colors": lead + scene.with_colors_exchanged(other).write()[0],
            "exchanged_objects": lead + scene.with_things_exchanged(other).write()[0],
        },
        template=template,
    )


_SLOTS = (("C1", "C2", "C3"), ("O1", "O2", "O3"))
_ORDINALS = ("first", "second", "third")


def _described(prefix: str, scene: str) -> tuple[PositionInfo, ...]:
    return tuple(
        PositionInfo(f"{prefix}{slot}", f"the {ordinal} {kind} of {scene}")
        for slots, kind in zip(_SLOTS, ("colour", "object"), strict=True)
        for slot, ordinal in zip(slots, _ORDINALS, strict=True)
    )


def _info(shots: int) -> TaskInfo:
    """What the task offers; without an example there are no ``X_`` positions."""
    return TaskInfo(
        name="colored_objects",
        about="Colored Objects: of three coloured objects one is asked for, and the answer is its colour "
        f"({'one worked example first' if shots else 'no example'}; Merullo et al. 2024)",
        positions=(
            *_described("", "the scene in question"),
            *(_described("X_", "the worked example") if shots else ()),
            PositionInfo("ANSWER_COLOR", "the colour that is the answer, where the scene names it"),
            PositionInfo("DISTRACTORS", "the two other colours of the scene", many=True),
            PositionInfo("QUERY", "the object asked for, in the question"),
            PositionInfo("END", "the last token, where the answer is predicted"),
        ),
        counterfactuals=(
            ("other_query", "the same scene, another of its objects asked for"),
            ("exchanged_colors", "the same question, the colours of the object asked for and of another exchanged"),
            ("exchanged_objects", "the same question and colours, the object asked for and another exchanged"),
        ),
        default_counterfactual="other_query",
        templates=len(TEMPLATES),
    )


def _choose(selection: Selection, shots: int) -> Pools:
    needed = 3 * (shots + 1)
    return Pools(
        colors=selection.colors(COLORS, at_least=needed),
        things=selection.words("objects", THINGS, at_least=needed),
    )


def open_colored_objects(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task colored_objects(shots: 1)``. Raises :class:`UnknownName` for other arguments."""
    shots = whole_number(ref, "shots", default=1, low=0, high=1)
    choose, write = partial(_choose, shots=shots), partial(draw_text, shots=shots)
    return WrittenTask(_info(shots), TEMPLATES, Pools(), choose, write, samples=5)  # any of three things may be asked
