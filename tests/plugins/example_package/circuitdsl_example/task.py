"""A task: two friends go somewhere, the first of them is named again, and the answer is the other's name."""

from __future__ import annotations

import random
from dataclasses import dataclass

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import TextPrompt
from circuitdsl.tasks.words import NAMES, PLACES, fill

SENTENCES = {
    "then": "Then, {ONE} and {OTHER} went to the {PLACE}. {AGAIN} and",
    "today": "Today {ONE} and {OTHER} met at the {PLACE}, {AGAIN} and",
}


@dataclass(frozen=True)
class Pools:
    """The words to draw from."""

    names: tuple[str, ...] = NAMES
    places: tuple[str, ...] = PLACES


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of a template, and the same prompt with the other friend named again."""
    one, other = rng.sample(pools.names, 2)
    words = {"ONE": one, "OTHER": other, "AGAIN": one, "PLACE": rng.choice(pools.places)}
    text, spans = fill(SENTENCES[template], words)
    return TextPrompt(
        text=text,
        answer=f" {other}",
        wrong=(f" {one}",),
        options=(f" {one}", f" {other}"),
        spans={name: (spans[name],) for name in ("ONE", "OTHER", "AGAIN")},
        counterfactuals={"other_again": fill(SENTENCES[template], words | {"AGAIN": other})[0]},
        template=template,
    )


INFO = TaskInfo(
    name="two_friends",
    about="Two friends: one of them is named again, and the answer is the other",
    positions=(
        PositionInfo("ONE", "the first name"),
        PositionInfo("OTHER", "the second name, which is the answer"),
        PositionInfo("AGAIN", "the first name, the second time"),
        PositionInfo("END", "the last token, where the answer is predicted"),
    ),
    counterfactuals=(("other_again", "the other friend is named again, so that the answer is the first"),),
    default_counterfactual="other_again",
    templates=len(SENTENCES),
)


def choose(selection: Selection) -> Pools:
    """The words that a tokenizer has as single tokens. Raises TaskError if they do not suffice."""
    return Pools(selection.words("names", NAMES, at_least=2), selection.words("places", PLACES, at_least=1))


def open_two_friends(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task two_friends``. Raises UnknownName for arguments."""
    refuse_all(ref)
    return WrittenTask(INFO, tuple(SENTENCES), Pools(), choose, draw_text)
