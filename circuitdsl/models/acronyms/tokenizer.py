"""Its tokenizer: a word is its capital and its tail, and every letter of an acronym is a token."""

from __future__ import annotations

from string import ascii_uppercase

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.tasks.words import SPLIT

CONTEXT = 24  # tokens that the model can read
PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"
TAILS = tuple(dict.fromkeys(word[1:] for word in SPLIT))
VOCABULARY = (PAD, BOS, UNK, "The", " (", *(f" {letter}" for letter in ascii_uppercase), *ascii_uppercase, *TAILS)
CAPITAL, LETTER, TAIL = map(VOCABULARY.index, (" A", "A", TAILS[0]))
"""The first capital of a word, the first letter of an acronym and the first tail; the others follow."""


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself; the model always saw one."""
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token=UNK))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"The\b| \(| [A-Z]|[A-Z]|[a-z]+"), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, bos_token=BOS, unk_token=UNK, model_max_length=CONTEXT
    )
