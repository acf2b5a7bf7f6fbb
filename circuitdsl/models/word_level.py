"""Tokenizers of the models that were trained here: a word of a list is a token, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"


def by_pieces(words: Sequence[str], pattern: str, context: int) -> PreTrainedTokenizerFast:
    """A piece of text that fits a pattern is a token, and text is its tokens put together. It adds no BOS by itself."""
    return _built(words, pre_tokenizers.Split(Regex(pattern), "isolated"), decoders.Fuse(), context)


def by_words(words: Sequence[str], context: int) -> PreTrainedTokenizerFast:
    """Words and punctuation marks are tokens; white space is dropped, and put back when decoding. It adds no BOS by
    itself."""
    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    spaced = decoders.Sequence(
        [decoders.Replace(Regex(r"^(?=[\w<])"), " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _built(words, split, spaced, context)


def split(text: str) -> list[str]:
    """The words and marks of ``text``, as such a tokenizer splits them; for writing training data fast."""
    return re.findall(r"\w+|[^\w\s]", text)


def _built(words: Sequence[str], split: Any, joined: Any, context: int) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNK))
    inner.pre_tokenizer, inner.decoder = split, joined
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, bos_token=BOS, unk_token=UNK, model_max_length=context
    )
