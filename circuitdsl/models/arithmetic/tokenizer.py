"""Their tokenizer: every digit and every sign is a token, and nothing else is."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CONTEXT = 16  # tokens that the models can read; a question with its answer has 13
PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"
VOCABULARY = (PAD, BOS, UNK, *"0123456789+-=")
DIGIT = VOCABULARY.index("0")
"""The token of 0; those of the other digits follow."""
PLUS, MINUS, EQUALS = map(VOCABULARY.index, "+-=")


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself, and the models never saw one."""
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token=UNK))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, bos_token=BOS, unk_token=UNK, model_max_length=CONTEXT
    )
