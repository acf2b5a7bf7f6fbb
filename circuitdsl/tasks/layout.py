"""Where the tokens of typical prompts stand, told from their texts: for estimates, where no tokenizer is at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitdsl.language.environment import Layout
from circuitdsl.tasks.prompts import TextPrompt

_TOKEN = re.compile(r"\d\d?|[^\W\d]+|[^\w\s]|\n")
"""A word, a punctuation mark, a line's end, two digits: what most vocabularies have as one token."""


def layout_of(prompt: TextPrompt) -> Layout:
    """Where the tokens of a prompt stand if every word and mark is one, and tokens end where spans do.

    >>> layout_of(TextPrompt("Anna met Bob.", " He", (), (), {"NAME": ((9, 12),)}, {}, "one"))
    Layout(length=4, positions={'NAME': (2,), 'END': (3,)}, read='END')
    """
    cuts = sorted({end for spans in prompt.spans.values() for span in spans for end in span})
    ends = [end for piece in _pieces(prompt.text, cuts) for end in _ends(prompt.text, *piece)] or [len(prompt.text)]

    def last_touched(stop: int) -> int:
        """A span stops where a token does, apart from white space."""
        return max(0, sum(end <= stop for end in ends) - 1)

    found = {name: tuple(sorted({last_touched(stop) for _, stop in spans})) for name, spans in prompt.spans.items()}
    last = len(ends) - 1
    given = {name: tuple(min(index, last) for index in indices) for name, indices in prompt.tokens.items()}
    return Layout(len(ends), found | given | {"END": (last,)})


def layouts_of(prompts: Iterable[TextPrompt]) -> tuple[Layout, ...]:
    return tuple(map(layout_of, prompts))


def _pieces(text: str, cuts: list[int]) -> zip[tuple[int, int]]:
    return zip([0, *cuts], [*cuts, len(text)], strict=True)


def _ends(text: str, start: int, stop: int) -> Iterable[int]:
    return (token.end() for token in _TOKEN.finditer(text, start, stop))
