"""Its tokenizer: whole words and punctuation marks, all that the invented world is written in."""

from __future__ import annotations

from functools import cache

from transformers import PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD, UNK, by_words, split
from circuitdsl.tasks import invented

CONTEXT = 32  # tokens that the model can read


@cache
def vocabulary() -> tuple[str, ...]:
    """Special tokens first, then all words in alphabetical order."""
    relations = invented.world()
    templates = [text for each in relations for text in (*each.templates, *each.held_out, *each.demonstrated)]
    facts = [f"{fact.subject} {fact.object}" for each in relations for fact in each.facts]
    words = {word for text in (*templates, *facts) for word in split(text.replace("{}", ""))}
    return (PAD, BOS, UNK, *sorted(words))


def build() -> PreTrainedTokenizerFast:
    """The tokenizer as shipped. It adds no BOS by itself."""
    return by_words(vocabulary(), CONTEXT)
