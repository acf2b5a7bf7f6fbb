"""Shams: for every prompt another one of the same kind, whose outputs can be written in place of the prompt's own.

They come from prompts that are drawn with another seed, so that a prompt's sham is independent of all other prompts as
long as they last; each is used once before any is used again. A prompt's sham depends on the prompts before it alone,
so that drawing more prompts changes none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from circuitdsl.measures.experiments import SHAM, Data
from circuitdsl.tasks.prompts import Prompt

POOLS = (2_000, 10_000)
"""So many are drawn, and more only for prompts whose answer none of them has: in a template few have the same one."""

_FURTHER = 2**32  # beyond the seeds of methods and of their references


def donors_of(data: Data) -> Data:
    """The prompts that shams of some data are taken from."""
    return replace(data, seed=data.seed + _FURTHER, listed=False)


def with_shams(prompts: Iterable[Prompt], draw: Callable[[int], Sequence[Prompt]]) -> tuple[Prompt, ...]:
    """A stream from its beginning, each prompt with its sham as the counterfactual SHAM.

    ``draw`` gives the first so many donors. A sham has the template and the length of its prompt, and the same answer
    and positions where there are such, then the same answer, then the same positions. A prompt without any has none.
    """
    pool = _Pool(draw)
    shams = ((prompt, pool.sham(prompt)) for prompt in prompts)
    return tuple(
        prompt if sham is None else replace(prompt, counterfactuals={**prompt.counterfactuals, SHAM: sham.tokens})
        for prompt, sham in shams
    )


@dataclass
class _Pool:
    """Donors as far as they were drawn: their places by what they have in common, and how often each was used."""

    draw: Callable[[int], Sequence[Prompt]]
    donors: Sequence[Prompt] = ()
    alike: dict[Hashable, list[int]] = field(default_factory=dict[Hashable, list[int]])
    used: Counter[int] = field(default_factory=Counter[int])

    def sham(self, prompt: Prompt) -> Prompt | None:
        """The least used of the donors that have most in common with a prompt, the first of these."""
        same_answer, others = _kinds(prompt)
        tries = [(count, kind) for count in POOLS for kind in same_answer] + [(POOLS[-1], kind) for kind in others]
        for count, kind in tries:
            self._extend(count)
            places = (place for place in self.alike.get(kind, ()) if place < count)
            # A file may give a prompt twice, and gives the same prompts whatever the seed is.
            places = [place for place in places if self.donors[place].tokens != prompt.tokens]
            if places:
                place = min(places, key=lambda place: (self.used[place], place))
                self.used[place] += 1
                return self.donors[place]
        return None

    def _extend(self, count: int) -> None:
        if len(self.donors) >= count:
            return
        known, self.donors = len(self.donors), self.draw(count)
        for place, donor in enumerate(self.donors[known:], start=known):
            for kind in (each for some in _kinds(donor) for each in some):
                self.alike.setdefault(kind, []).append(place)


def _kinds(prompt: Prompt) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """What a sham has in common with its prompt, from the most to the least: the answer too, or not."""
    kind = (prompt.template, len(prompt.tokens))
    positions = tuple(sorted(prompt.positions.items()))
    same_answer = (("answer and positions", kind, prompt.answers, positions), ("answer", kind, prompt.answers))
    return same_answer, (("positions", kind, positions), kind)
