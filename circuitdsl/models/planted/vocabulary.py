"""The words of the planted models, taken from the tasks, and the word-level tokenizer over them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitdsl.tasks import colored_objects, ioi
from circuitdsl.tasks.words import COLORS, GIFTS, NAMES, PLACES, SIGHTINGS, SURFACES, THINGS

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

PLANTED_NAMES: tuple[str, ...] = NAMES[:16]
"""Each name costs five coordinates of the residual stream; 16 are enough for the tasks."""

INDUCTION_WORDS: tuple[str, ...] = NAMES[:48]

PAD, BOS, UNKNOWN = "[PAD]", "[BOS]", "[UNK]"
SPECIAL = (PAD, BOS, UNKNOWN)
SPECIAL_TOKENS = {"pad_token": PAD, "bos_token": BOS, "eos_token": BOS, "unk_token": UNKNOWN}
"""The special tokens by what each is for."""

_WORD = re.compile(r"\w+|[^\w\s]+")  # as the tokenizer's pre-tokenizer splits


@dataclass(frozen=True)
class Vocabulary:
    """All tokens in the order of their numbers, and how loud each word's own feature is.

    Words are not equally loud, as in a trained model, so that figures differ between prompts.
    """

    tokens: tuple[str, ...]
    loudness: tuple[float, ...]


def _vocabulary(words: list[str]) -> Vocabulary:
    tokens = SPECIAL + tuple(dict.fromkeys(words))
    rng = random.Random(0)
    return Vocabulary(tokens, tuple(rng.uniform(0.85, 1.15) for _ in tokens))


def task_vocabulary() -> Vocabulary:
    """Every word of the prompts of ``ioi`` and ``colored_objects``, with the first 16 of the names."""
    words = [*PLANTED_NAMES, *COLORS, *(color.capitalize() for color in COLORS), *THINGS, *PLACES, *GIFTS]
    for pattern in ioi.PATTERNS:
        words += _WORD.findall(re.sub(r"\{\w+\}", " ", pattern))
    for surface in SURFACES:
        for sighting in SIGHTINGS:
            scene = colored_objects.Scene(surface, sighting, ("red", "orange", "blue"), THINGS[:3], 0)
            words += _WORD.findall(scene.write()[0])
    return _vocabulary(words)


def induction_vocabulary() -> Vocabulary:
    """Names alone: the task draws 40 different tokens for a prompt."""
    return _vocabulary(list(INDUCTION_WORDS))


def word_level(vocabulary: Vocabulary) -> Tokenizer:
    """What does the work of a word-level tokenizer. Words that it lacks become ``[UNK]``."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    words = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(list(SPECIAL))
    return words


def word_tokenizer(vocabulary: Vocabulary, name: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer (it gives character offsets) around ``word_level``."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=word_level(vocabulary), **SPECIAL_TOKENS)
    # TransformerLens opens a tokenizer a second time by its name to make it add BOS tokens. This one has no file
    # to be opened from, and we always say ourselves whether a prompt begins with BOS.
    tokenizer.init_kwargs |= {"name_or_path": name, "add_bos_token": True}
    return tokenizer
