"""Its tokenizer: whole words and punctuation marks, all that the invented world is written in."""

from __future__ import annotations

import re
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.tasks import invented

CONTEXT = 32  # tokens that the model can read
PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"


def split(text: str) -> list[str]:
    """The words and marks of ``text``, as the shipped tokenizer splits them; for writing training data fast."""
    return re.findall(r"\w+|[^\w\s]", text)


@cache
def vocabulary() -> tuple[str, ...]:
    """Special tokens first, then all words in alphabetical order."""
    relations = invented.world()
    templates = [text for each in relations for text in (*each.templates, *each.held_out, *each.demonstrated)]
    facts = [f"{fact.subject} {fact.object}" for each in relations for fact in each.facts]
    words = {word for text in (*templates, *facts) for word in split(text.replace("{}", ""))}
    return (PAD, BOS, UNK, *sorted(words))


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
