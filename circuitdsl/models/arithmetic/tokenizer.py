"""Their tokenizer: every digit and every sign is a token, and nothing else is."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD, UNK, by_pieces

CONTEXT = 16  # tokens that the models can read; a question with its answer has 13
VOCABULARY = (PAD, BOS, UNK, *"0123456789+-=")
DIGIT = VOCABULARY.index("0")
"""The token of 0; those of the other digits follow."""
PLUS, MINUS, EQUALS = map(VOCABULARY.index, "+-=")


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself, and the models never saw one."""
    return by_pieces(VOCABULARY, ".", CONTEXT)
