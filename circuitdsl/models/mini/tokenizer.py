"""Mini's tokenizer: whole words and punctuation marks, every word of the built-in tasks, 48 of the names."""

from __future__ import annotations

import re
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.tasks import colored_objects, ioi, words

CONTEXT = 96  # tokens that the model can read
PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"
NAMES = words.NAMES[:48]
"""The names that mini knows; the ``ioi`` task finds out by itself that the others are missing."""


def split(text: str) -> list[str]:
    """The words and marks of ``text``, as the shipped tokenizer splits them; for writing training data fast."""
    return re.findall(r"\w+|[^\w\s]", text)


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
    """The tokenizer as shipped. It adds no BOS by itself, drops white space and puts it back when decoding."""
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary())}, unk_token=UNK))
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    inner.decoder = decoders.Sequence(
        [decoders.Replace(Regex(r"^(?=[\w<])"), " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, bos_token=BOS, unk_token=UNK, model_max_length=CONTEXT
    )
