"""Subject-verb agreement: a subject, then a noun of the other number; the answer is a verb of the subject's number.

The question of Linzen et al. 2016 (arXiv:1611.01368), asked in fixed sentences as by Finlayson et al. 2021
(arXiv:2106.06087), with sentences of our own. Every singular of three verbs is right after a singular subject, and
every plural is wrong; after a plural subject it is the other way round.

In three of the four sentences the noun of the other number is the last token, after which the verb is read: what is
claimed of the two positions there is claimed of one token. The sentence that ends in "liked" alone has them apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import TextPrompt
from circuitdsl.tasks.words import PEOPLE, fill

PATTERNS: tuple[str, ...] = (
    "The {SUBJECT} near the {OTHER}",
    "In the picture the {SUBJECT} behind the {OTHER}",
    "The {SUBJECT} that the {OTHER} liked",
    "It seems that the {SUBJECT} who met the {OTHER}",
)

NUMBERS: tuple[str, ...] = ("singular", "plural")

TEMPLATES: tuple[str, ...] = tuple(map(str, range(len(PATTERNS))))
"""``0``, ``1``, ... one for each sentence. The number is none of the template, or its mean would tell the number."""

VERBS = {"singular": (" is", " was", " has"), "plural": (" are", " were", " have")}


@dataclass(frozen=True)
class Pools:
    """The nouns to draw from, in the singular; their plurals end in s."""

    nouns: tuple[str, ...] = PEOPLE


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template``; ``answer`` is a right answer drawn at random, ``right`` are all of them."""
    number, opposite = rng.sample(NUMBERS, 2)
    subject, attractor, unrelated = rng.sample(pools.nouns, 3)
    pattern = PATTERNS[int(template)]
    words = {"SUBJECT": _in(number, subject), "OTHER": _in(opposite, attractor)}
    text, spans = fill(pattern, words)
    return TextPrompt(
        text=text,
        answer=rng.choice(VERBS[number]),
        wrong=VERBS[opposite],
        options=VERBS[number] + VERBS[opposite],
        spans={name: (span,) for name, span in spans.items()},
        counterfactuals={
            "other_number": fill(pattern, words | {"SUBJECT": _in(opposite, subject)})[0],
            "other_noun": fill(pattern, words | {"SUBJECT": _in(number, unrelated)})[0],
            "same_numbers": fill(pattern, words | {"OTHER": _in(number, attractor)})[0],
        },
        template=template,
        right=VERBS[number],
    )


def _in(number: str, noun: str) -> str:
    return noun if number == "singular" else f"{noun}s"


_INFO = TaskInfo(
    name="agreement",
    about="Subject-verb agreement: a noun of the other number stands between subject and verb (Linzen et al. 2016)",
    positions=(
        PositionInfo("SUBJECT", "the subject, whose number the verb has"),
        PositionInfo(
            "OTHER", "the noun after it, of the other number; the last token but where the sentence ends in liked"
        ),
        PositionInfo("END", "the last token, where the verb is predicted: OTHER, or liked after it"),
    ),
    counterfactuals=(
        ("other_number", "the subject in the other number, so that the other verbs are right"),
        ("other_noun", "another subject of the same number; the answer stays"),
        (
            "same_numbers",
            "the noun between in the subject's number, which is the last token but where the sentence ends in liked; "
            "the answer stays",
        ),
    ),
    default_counterfactual="other_number",
    templates=len(TEMPLATES),
)


def _choose(selection: Selection) -> Pools:
    selection.words("verbs", [verb.strip() for verbs in VERBS.values() for verb in verbs], at_least=6)
    plurals = set(selection.words("plurals", [_in("plural", noun) for noun in PEOPLE], at_least=3))
    nouns = selection.words("nouns", [noun for noun in PEOPLE if _in("plural", noun) in plurals], at_least=3)
    return Pools(nouns)


def open_agreement(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task agreement``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return WrittenTask(_INFO, TEMPLATES, Pools(), _choose, draw_text)
