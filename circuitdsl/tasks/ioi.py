"""Indirect object identification: two names, one of them repeated; the answer is the one that is not.

The task of Wang et al. 2022 (arXiv:2211.00593) with sentences of our own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, VariableInfo
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import Prediction, Span, TextPrompt
from circuitdsl.tasks.words import GIFTS, NAMES, PLACES, fill

PATTERNS: tuple[str, ...] = (
    "Then, {FIRST} and {SECOND} went to the {PLACE}. {S2} gave a {GIFT} to",
    "When {FIRST} and {SECOND} got back from the {PLACE}, {S2} handed a {GIFT} to",
    "After {FIRST} and {SECOND} had lunch at the {PLACE}, {S2} passed a {GIFT} to",
    "While {FIRST} and {SECOND} were waiting at the {PLACE}, {S2} offered a {GIFT} to",
    "Yesterday {FIRST} and {SECOND} met near the {PLACE}, and {S2} sold a {GIFT} to",
    "Today {FIRST} and {SECOND} walked around the {PLACE}. {S2} wanted to give a {GIFT} to",
    "Once {FIRST} and {SECOND} had reached the {PLACE}, {S2} threw a {GIFT} to",
    "Since {FIRST} and {SECOND} often worked at the {PLACE}, {S2} lent a {GIFT} to",
    "The {PLACE} was closed when {FIRST} and {SECOND} came by, so {S2} sent a {GIFT} to",
    "Last week {FIRST} and {SECOND} found a {GIFT} at the {PLACE}. {S2} gave it to",
    "Friends {FIRST} and {SECOND} bought a {GIFT} at the {PLACE}, and {S2} showed it to",
    "As {FIRST} and {SECOND} were leaving the {PLACE}, {S2} decided to give the {GIFT} to",
    "At the {PLACE}, {FIRST} and {SECOND} had a long talk, and then {S2} brought a {GIFT} to",
    "Finally {FIRST} and {SECOND} agreed to share the {GIFT} from the {PLACE}. {S2} returned it to",
    "It was late when {FIRST} and {SECOND} left the {PLACE}. {S2} carried the {GIFT} back to",
)

ORDERS: tuple[str, ...] = ("ABBA", "BABA")
"""Whose name comes first: in ABBA the indirect object's, in BABA the subject's."""

TEMPLATES: tuple[str, ...] = tuple(f"{number:02d}-{order}" for number in range(len(PATTERNS)) for order in ORDERS)
"""``00-ABBA``, ``00-BABA``, ... one for each sentence and order."""


@dataclass(frozen=True)
class Pools:
    """The words to draw from: all of the task's, or those that one tokenizer has as single tokens."""

    names: tuple[str, ...] = NAMES
    places: tuple[str, ...] = PLACES
    gifts: tuple[str, ...] = GIFTS


def sentence(pattern: str, names: tuple[str, str, str], place: str, gift: str) -> tuple[str, dict[str, Span]]:
    """``pattern`` with ``names`` (first, second, the one who acts) and the spans of its words."""
    first, second, giver = names
    return fill(pattern, {"FIRST": first, "SECOND": second, "S2": giver, "PLACE": place, "GIFT": gift})


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template`` with its counterfactuals; needs five names, a place and a gift."""
    io, s, *unrelated = rng.sample(pools.names, 5)
    place, gift = rng.choice(pools.places), rng.choice(pools.gifts)
    number, order = template.split("-")
    pattern = PATTERNS[int(number)]
    io_slot, s1_slot = ("FIRST", "SECOND") if order == "ABBA" else ("SECOND", "FIRST")

    def in_order(where_io_stands: str, where_s_stands: str) -> tuple[str, str]:
        return (where_io_stands, where_s_stands) if order == "ABBA" else (where_s_stands, where_io_stands)

    first, second = in_order(io, s)
    text, spans = sentence(pattern, (first, second, s), place, gift)
    replaced = {
        "abc": (unrelated[0], unrelated[1], unrelated[2]),
        "s2_io": (first, second, io),
        "flip_order": (second, first, s),
        "other_io": (*in_order(unrelated[0], s), s),
        "other_s": (*in_order(unrelated[0], io), io),
    }
    return TextPrompt(
        text=text,
        answer=f" {io}",
        wrong=(f" {s}",),
        options=(f" {io}", f" {s}"),
        spans={"IO": (spans[io_slot],), "S1": (spans[s1_slot],), "S2": (spans["S2"],)},
        counterfactuals={name: sentence(pattern, names, place, gift)[0] for name, names in replaced.items()},
        template=template,
        predicted={
            "IO_token": Prediction("other_io", f" {unrelated[0]}"),
            "S_token": Prediction("other_s", f" {s}"),
            "S_position": Prediction("flip_order", f" {s}"),
        },
    )


_INFO = TaskInfo(
    name="ioi",
    about="Indirect object identification: one of two names is repeated, the answer is the other (Wang et al. 2022)",
    positions=(
        PositionInfo("IO", "the indirect object's name, the answer, where it stands"),
        PositionInfo("S1", "the subject's name, the first time"),
        PositionInfo("S2", "the subject's name, the second time"),
        PositionInfo("END", "the last token, where the answer is predicted"),
    ),
    counterfactuals=(
        ("abc", "three unrelated names for IO, S1 and S2"),
        ("s2_io", "IO instead of S at S2, so that the answer is S"),
        ("flip_order", "the first two names change places; the answer stays"),
        ("other_io", "an unrelated name where IO stood, which is the answer then"),
        ("other_s", "IO instead of S at S1 and S2, and an unrelated name where IO stood, which is the answer then"),
    ),
    variables=(
        VariableInfo("IO_token", "the name that is not repeated: it is the answer", "other_io"),
        VariableInfo(
            "S_token",
            "the name that is repeated: the answer is the one of the first two names that is not it",
            "other_s",
        ),
        VariableInfo(
            "S_position",
            "whether the earlier or the later of the first two names is repeated: the answer is the other one",
            "flip_order",
        ),
    ),
    default_counterfactual="abc",
    templates=len(TEMPLATES),
)


def _choose(selection: Selection) -> Pools:
    return Pools(
        names=selection.words("names", NAMES, at_least=5),
        places=selection.words("places", PLACES, at_least=1),
        gifts=selection.words("gifts", GIFTS, at_least=1),
    )


def open_ioi(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task ioi``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return WrittenTask(_INFO, TEMPLATES, Pools(), _choose, draw_text)
