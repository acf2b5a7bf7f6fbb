"""The words that built-in tasks draw from, and the filling of sentence patterns with them.

All names and words here are one token with a leading space in GPT-2's vocabulary; another tokenizer keeps
fewer, which the tasks find out and say.
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

TITLES: tuple[str, ...] = _words(
    """Advanced African American Animal Annual Army Art Bank Basic Black Board British Bureau Business Canadian Central
    Chief City Civil Club Cold College Common Council Data Defense Digital Direct District Early Eastern Economic
    Energy European Family Federal Film First Food Force Foreign Free French Future General German Global Gold Great
    Green Group Health High Home House Human Indian Industry Institute International Island Italian Japan Joint Justice
    King Labor Land Law League Legal Library Local London Market Media Medical Military Modern Music National Natural
    Network New Northern Nuclear Office Officer Oil Open Organization Pacific Party Peace People Police Power Press
    Program Public Quality Quick Radio Red Regional Research River Royal Rural School Science Security Service Social
    Society Southern Special Standard State Street System Team Technical Trade Transport Trust Union United University
    Urban Valley Victoria Video Virtual Visual Water Western White Women World Young Youth Zone"""
)

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
