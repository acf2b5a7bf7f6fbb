"""Mini's tokenizer: whole words and punctuation marks, every word of the built-in tasks, 48 of the names."""

from __future__ import annotations

import re
from functools import cache

from transformers import PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD, UNK, by_words, split
from circuitdsl.tasks import colored_objects, ioi, words

CONTEXT = 96  # tokens that the model can read
NAMES = words.NAMES[:48]
"""The names that mini knows; the ``ioi`` task finds out by itself that the others are missing."""


@cache
def vocabulary() -> tuple[str, ...]:
    """Special tokens first, then all words in alphabetical order."""
    scene, _ = colored_objects.Scene("table", "there is", ("red", "orange", "blue"), ("cup", "pen", "mug"), 0).write()
    texts = (
        *(re.sub(r"\{\w+\}", "", pattern) for pattern in ioi.PATTERNS),
        *(NAMES + words.PLACES + words.GIFTS + words.THINGS + words.SURFACES + words.SIGHTINGS),
        *(form for color in words.COLORS for form in (color, color.capitalize())),
        scene,
    )
    return (PAD, BOS, UNK, *sorted({word for text in texts for word in split(text)}))


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself."""
    return by_words(vocabulary(), CONTEXT)
