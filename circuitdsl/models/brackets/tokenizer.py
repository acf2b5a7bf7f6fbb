"""Its tokenizer: every bracket is a token, and nothing else is."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD, UNK, by_pieces
from circuitdsl.tasks.brackets import CLOSING, OPENING

CONTEXT = 16  # tokens that the model can read
VOCABULARY = (PAD, BOS, UNK, *OPENING, *CLOSING)
OPENS = VOCABULARY.index(OPENING[0])
"""The token of the first kind's opening bracket; that of the other kind follows."""
CLOSES = VOCABULARY.index(CLOSING[0])
"""The same of closing brackets."""


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself, and the model never saw one."""
    return by_pieces(VOCABULARY, ".", CONTEXT)
