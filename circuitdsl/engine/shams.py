"""Shams: for every prompt another one of the same kind, whose outputs can be written in place of the prompt's own.

They come from prompts that are drawn with another seed, so that a prompt's sham is independent of all other prompts as
long as they last; each is used once before any is used again. A prompt's sham depends on the prompts before it alone,
so that drawing more prompts changes none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from circuitdsl.measures.experiments import SHAM, Data
from circuitdsl.tasks.prompts import Prompt

POOL = 2_000
"""So many are drawn. Few prompts of a template have the same answer, and as many as these make it likely."""

_FURTHER = 2**32  # beyond the seeds of methods and of their references


def donors_of(data: Data) -> tuple[Data, int]:
    """The prompts that shams of some data are taken from, and how many of them."""
    return replace(data, seed=data.seed + _FURTHER), POOL


def with_shams(prompts: Sequence[Prompt], donors: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """A stream from its beginning, each prompt with its sham as the counterfactual SHAM.

    A sham has the template and the length of its prompt, and the same answer and positions where there are such, then
    the same answer, then the same positions. A prompt without any has none.
    """
    alike: dict[Hashable, list[int]] = {}
    for place, donor in enumerate(donors):
        for kind in _kinds(donor):
            alike.setdefault(kind, []).append(place)
    used = Counter[int]()
    found: list[Prompt] = []
    for prompt in prompts:
        others = (_others(prompt, alike.get(kind, ()), donors) for kind in _kinds(prompt))
        places = next(filter(None, others), None)
        if places is None:
            found.append(prompt)
            continue
        place = min(places, key=lambda place: (used[place], place))
        used[place] += 1
        found.append(replace(prompt, counterfactuals={**prompt.counterfactuals, SHAM: donors[place].tokens}))
    return tuple(found)


def _kinds(prompt: Prompt) -> Iterator[Hashable]:
    """What a sham has in common with its prompt, from the most to the least."""
    kind = (prompt.template, len(prompt.tokens))
    positions = tuple(sorted(prompt.positions.items()))
    yield "answer and positions", kind, prompt.answers, positions
    yield "answer", kind, prompt.answers
    yield "positions", kind, positions
    yield kind


def _others(prompt: Prompt, places: Sequence[int], donors: Sequence[Prompt]) -> list[int]:
    """Those that are not the prompt itself, which a file may give twice."""
    return [place for place in places if donors[place].tokens != prompt.tokens]
