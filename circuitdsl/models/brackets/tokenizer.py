"""Its tokenizer: every bracket is a token, and nothing else is."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.tasks.brackets import CLOSING, OPENING

CONTEXT = 16  # tokens that the model can read
PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"
VOCABULARY = (PAD, BOS, UNK, *OPENING, *CLOSING)
OPENS = VOCABULARY.index(OPENING[0])
"""The token of the first kind's opening bracket; that of the other kind follows."""
CLOSES = VOCABULARY.index(CLOSING[0])
"""The same of closing brackets."""


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself, and the model never saw one."""
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token=UNK))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, bos_token=BOS, unk_token=UNK, model_max_length=CONTEXT
    )
