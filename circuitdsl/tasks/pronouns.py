"""Gendered pronouns: a name, and the answer is the pronoun that people commonly use of whoever bears it.

The task of Mathwin et al. 2023 ("Identifying a preliminary circuit for predicting gendered pronouns in GPT-2 small"),
with sentences of our own. It asks what a model has learnt of names, not what holds of a person.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import TextPrompt
from circuitdsl.tasks.words import FEMALE_NAMES, MALE_NAMES, PLACES, fill

PATTERNS: tuple[str, ...] = (
    "Yesterday {NAME} went to the {PLACE} because",
    "When {NAME} came home from the {PLACE},",
    "After work {NAME} walked to the {PLACE}, where",
    "So {NAME} is waiting at the {PLACE}, isn't",
)

GENDERS: tuple[str, ...] = ("female", "male")

TEMPLATES: tuple[str, ...] = tuple(map(str, range(len(PATTERNS))))
"""``0``, ``1``, ... one for each sentence. The gender is none of the template, or its mean would tell the gender."""

PRONOUNS = {"female": " she", "male": " he"}


@dataclass(frozen=True)
class Pools:
    """The words to draw from."""

    female: tuple[str, ...] = FEMALE_NAMES
    male: tuple[str, ...] = MALE_NAMES
    places: tuple[str, ...] = PLACES

    def names(self, gender: str) -> tuple[str, ...]:
        return self.female if gender == "female" else self.male


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template`` with its counterfactuals."""
    gender, opposite = rng.sample(GENDERS, 2)
    name, same = rng.sample(pools.names(gender), 2)
    words = {"NAME": name, "PLACE": rng.choice(pools.places)}
    pattern = PATTERNS[int(template)]
    text, spans = fill(pattern, words)
    return TextPrompt(
        text=text,
        answer=PRONOUNS[gender],
        wrong=(PRONOUNS[opposite],),
        options=(PRONOUNS[gender], PRONOUNS[opposite]),
        spans={slot: (span,) for slot, span in spans.items()},
        counterfactuals={
            "other_gender": fill(pattern, words | {"NAME": rng.choice(pools.names(opposite))})[0],
            "other_name": fill(pattern, words | {"NAME": same})[0],
        },
        template=template,
    )


_INFO = TaskInfo(
    name="pronouns",
    about="Gendered pronouns: a name, and the pronoun that is commonly used of those who bear it (Mathwin et al. 2023)",
    positions=(
        PositionInfo("NAME", "the name"),
        PositionInfo("PLACE", "a place that says nothing of the answer"),
        PositionInfo("END", "the last token, where the pronoun is predicted"),
    ),
    counterfactuals=(
        ("other_gender", "a name of the other gender, so that the other pronoun is the answer"),
        ("other_name", "another name of the same gender; the answer stays"),
    ),
    default_counterfactual="other_gender",
    templates=len(TEMPLATES),
)


def _choose(selection: Selection) -> Pools:
    selection.words("pronouns", [pronoun.strip() for pronoun in PRONOUNS.values()], at_least=2)
    return Pools(
        female=selection.words("female names", FEMALE_NAMES, at_least=2),
        male=selection.words("male names", MALE_NAMES, at_least=2),
        places=selection.words("places", PLACES, at_least=1),
    )


def open_pronouns(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task pronouns``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return WrittenTask(_INFO, TEMPLATES, Pools(), _choose, draw_text)
