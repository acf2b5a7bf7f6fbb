"""Its tokenizer: a word is its capital and its tail, and every letter of an acronym is a token."""

from __future__ import annotations

from string import ascii_uppercase

from transformers import PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD, UNK, by_pieces
from circuitdsl.tasks.words import SPLIT

CONTEXT = 24  # tokens that the model can read
TAILS = tuple(dict.fromkeys(word[1:] for word in SPLIT))
VOCABULARY = (PAD, BOS, UNK, "The", " (", *(f" {letter}" for letter in ascii_uppercase), *ascii_uppercase, *TAILS)
CAPITAL, LETTER, TAIL = map(VOCABULARY.index, (" A", "A", TAILS[0]))
"""The first capital of a word, the first letter of an acronym and the first tail; the others follow."""


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself; the model always saw one."""
    return by_pieces(VOCABULARY, r"The\b| \(| [A-Z]|[A-Z]|[a-z]+", CONTEXT)
