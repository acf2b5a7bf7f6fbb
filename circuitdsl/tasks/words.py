"""The words that built-in tasks draw from, and the filling of sentence patterns with them.

All names and words here are one token with a leading space in GPT-2's vocabulary, but for those of ``SPLIT``; another
tokenizer keeps fewer, which the tasks find out and say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from circuitdsl.tasks.prompts import Span


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES: tuple[str, ...] = _words(
    """Mary John Tom Anna James Sarah David Laura Michael Emily Robert Kate William Susan Daniel Jane Paul Lisa
    Mark Alice George Emma Peter Rachel Henry Helen Jack Maria Adam Julia Simon Grace Frank Rose Kevin Claire
    Brian Ruth Jason Amy Eric Nicole Ryan Karen Scott Diana Andrew Linda Sam Lucy Ben Chloe Luke Sophie Matt
    Hannah Alex Olivia Max Megan Charlie Amber Oliver Natalie Joe Jessica Steve Ashley Greg Victoria Jeff Rebecca
    Tim Michelle Dan Lauren Nick Melissa Chris Amanda Joseph Jennifer Thomas Elizabeth Edward Heather Richard
    Stephanie Stephen Christine Anthony Catherine Martin Samantha Patrick Angela Justin Anne Roger Clara"""
)

FEMALE_NAMES: tuple[str, ...] = _words(
    """Mary Anna Sarah Laura Emily Kate Susan Jane Lisa Alice Emma Rachel Helen Maria Julia Grace Rose Claire Ruth
    Nicole Diana Linda Lucy Chloe Sophie Hannah Olivia Megan Amber Natalie Jessica Victoria Rebecca Michelle Lauren
    Melissa Amanda Jennifer Elizabeth Heather Stephanie Christine Catherine Samantha Angela Anne Clara Amy Karen"""
)

MALE_NAMES: tuple[str, ...] = _words(
    """John Tom James David Michael Robert William Daniel Paul Mark George Peter Henry Jack Adam Simon Frank Kevin Brian
    Jason Eric Ryan Scott Andrew Ben Luke Matt Oliver Joe Steve Greg Jeff Tim Dan Nick Joseph Thomas Edward Richard
    Stephen Anthony Martin Patrick Justin Roger"""
)

PEOPLE: tuple[str, ...] = _words(
    """boy girl teacher doctor student friend farmer lawyer writer artist king queen guard driver actor soldier worker
    player singer nurse poet priest brother sister mother father daughter son cousin neighbor guest visitor leader
    hunter judge scientist captain customer parent dancer"""
)

PLACES: tuple[str, ...] = _words(
    """store school park library station office hospital restaurant beach market museum church hotel bank farm
    garden theater river airport kitchen"""
)

GIFTS: tuple[str, ...] = _words(
    """book key map ticket letter hat lamp coin cake flower drink snack ring ball pen camera phone jacket guitar
    basket"""
)

EVENTS: tuple[str, ...] = _words(
    """war siege campaign expedition reign dispute festival trial voyage project crisis rebellion famine treaty
    exhibition conflict occupation strike journey investigation"""
)

SPLIT: tuple[str, ...] = _words(
    """Aches Aisle Aperture Averages Bamboo Bands Bricks Bumper Cactus Cages Cakes Cursor Dancer Dessert Dioxide Docks
    Ears Ebook Eruption Etymology Fences Fidelity Fixture Fractions Gland Goggles Gown Guts Hinge Hints Hips
    Hose Icing Icons Ions Jargon Jars Jaws Jumper Kernels Kicks Kite Lace Lamps Ledge Locker Makers Mango
    Mixture Mounds Nails Nests Niece Nylon Oasis Oats Oils Oven Paddle Paints Pavement Pumps Rake Ransom Riddle
    Ropes Scent Sibling Sockets Sushi Tiles Trench Tribute Tuna Uprising Urea Vantage Vines Vase Vibe Wagon Wasp
    Wires Wrist Yacht Yarn Yoke Zebra Zipper Zodiac"""
)
"""Of these both GPT-2's vocabulary and SmolLM2's have a token for the capital and one for the tail, and none for the
whole. None begins with Q or X."""

COLORS: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")

THINGS: tuple[str, ...] = _words(
    """pencil notebook pen cup plate jug mug puzzle textbook leash necklace bracelet bottle ball envelope lighter
    bowl"""
)

SURFACES: tuple[str, ...] = ("table", "desk", "floor")
SIGHTINGS: tuple[str, ...] = ("there is", "you see", "I see")

_SLOT = re.compile(r"\{(\w+)\}")


def article(word: str) -> str:
    """The indefinite article before ``word``, by its first letter (enough for the words above)."""
    return "an" if word[0] in "aeiou" else "a"


def fill(pattern: str, words: Mapping[str, str]) -> tuple[str, dict[str, Span]]:
    """Put ``words`` into the ``{SLOT}``s of ``pattern``; return the text and the span of every slot.

    A slot may occur once only, or its span would be ambiguous; ``KeyError`` if a slot has no word.
    """
    text = ""
    spans: dict[str, Span] = {}
    read = 0
    for slot in _SLOT.finditer(pattern):
        text += pattern[read : slot.start()]
        word = words[slot.group(1)]
        spans[slot.group(1)] = (len(text), len(text) + len(word))
        text += word
        read = slot.end()
    return text + pattern[read:], spans
