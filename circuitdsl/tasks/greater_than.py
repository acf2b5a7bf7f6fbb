"""Greater-than: something lasted from one year to another of the same century; the answer is any later year.

The task of Hanna et al. 2023 (arXiv:2305.00586) with wordings of our own. It has many right answers: every later
year's last two digits. It needs a tokenizer that writes a year as two tokens of two digits, as GPT-2's does.
For one that makes every digit a token, ``greater_than(digits: 1)`` asks for the last digit of a year of the same
decade.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import whole_number
from circuitdsl.tasks.drawing import ListedTask, Selection
from circuitdsl.tasks.prompts import TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import tokens_of
from circuitdsl.tasks.words import EVENTS, fill

PATTERNS: tuple[str, ...] = (
    "The {EVENT} lasted from the year {CENTURY}{YEAR} to the year {END}",
    "The {EVENT} began in the year {CENTURY}{YEAR} and ended in the year {END}",
    "It was the year {CENTURY}{YEAR} when the {EVENT} started, and it went on until the year {END}",
    "From {CENTURY}{YEAR}, when it opened, the {EVENT} continued until {END}",
)

TEMPLATES: tuple[str, ...] = tuple(map(str, range(len(PATTERNS))))
"""``0``, ``1``, ... one for each wording."""

CENTURIES = tuple(range(11, 19))


@dataclass(frozen=True)
class Years:
    """What is asked of a year: its last ``digits``, one or two, after those before them (``stems``).

    From ``first`` to ``last`` there are earlier and later years after the same stem; ``start``, the counterfactual's,
    is earlier than these. A stem after which a vocabulary has fewer than ``enough`` is left out.
    """

    digits: int
    stems: tuple[str, ...]
    first: int
    last: int
    start: str
    enough: int

    @property
    def endings(self) -> tuple[str, ...]:
        return tuple(f"{year:0{self.digits}d}" for year in range(10**self.digits))

    @property
    def tokens(self) -> str:
        """How a vocabulary writes a year that can say them."""
        return "a token a digit" if self.digits == 1 else "two tokens of two digits, as 17|32"


def years_of(digits: int) -> Years:
    """The years of all centuries, by the digits that are asked for."""
    if digits == 2:
        return Years(2, tuple(map(str, CENTURIES)), first=2, last=98, start="01", enough=50)
    decades = tuple(f"{century}{decade}" for century in CENTURIES for decade in range(10))
    return Years(1, decades, first=1, last=8, start="0", enough=10)


@dataclass(frozen=True)
class Pools:
    """What one tokenizer has: events of one token, and the years whose last digits are one."""

    years: Years
    events: tuple[str, ...]
    endings: tuple[tuple[str, tuple[str, ...]], ...]  # (stem, all endings that follow it as one token)


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template``; ``answer`` is a right answer drawn at random, ``right`` are all of them."""
    stem, endings = rng.choice(pools.endings)
    year = rng.choice(_begins(pools.years, endings))
    event = rng.choice(pools.events)
    return _written(template, pools.years, event, stem, year, endings, rng.choice(_later(year, endings)))


def list_texts(template: str, pools: Pools) -> Iterator[TextPrompt]:
    """Every prompt of ``template``; ``answer`` is the first of the right answers."""
    for event, (stem, endings) in product(pools.events, pools.endings):
        for year in _begins(pools.years, endings):
            yield _written(template, pools.years, event, stem, year, endings, _later(year, endings)[0])


def _begins(years: Years, endings: tuple[str, ...]) -> tuple[str, ...]:
    """The years in which something may begin: there are earlier and later ones."""
    return tuple(ending for ending in endings if years.first <= int(ending) <= years.last and ending < endings[-1])


def _later(year: str, endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ending for ending in endings if ending > year)


def _written(
    template: str, years: Years, event: str, stem: str, year: str, endings: tuple[str, ...], answer: str
) -> TextPrompt:
    words = {"EVENT": event, "CENTURY": stem, "YEAR": year, "END": stem}
    pattern = PATTERNS[int(template)]
    text, spans = fill(pattern, words)
    return TextPrompt(
        text=text,
        answer=answer,
        wrong=tuple(ending for ending in endings if ending <= year),
        options=endings,
        spans={name: (spans[name],) for name in ("EVENT", "CENTURY", "YEAR")},
        counterfactuals={f"from_{years.start}": fill(pattern, words | {"YEAR": years.start})[0]},
        template=template,
        right=_later(year, endings),
    )


def _count(pools: Pools) -> int:
    years = sum(len(_begins(pools.years, endings)) for _, endings in pools.endings)
    return len(TEMPLATES) * len(pools.events) * years


def _all_pools(years: Years) -> Pools:
    """All events, and every stem with all its endings."""
    return Pools(years, EVENTS, tuple((stem, years.endings) for stem in years.stems))


def _info(pools: Pools) -> TaskInfo:
    """What the task offers."""
    start = pools.years.start
    before, last, span = (
        ("first two digits", "last two digits", "century")
        if pools.years.digits == 2
        else ("third digit, the decade's (where each digit is a token),", "last digit", "decade")
    )
    return TaskInfo(
        name="greater_than",
        about=f"Greater-than: a span of years within a {span}, and any later year is right (Hanna et al. 2023); "
        "measure it with probability_diff",
        positions=(
            PositionInfo("EVENT", "what lasted"),
            PositionInfo("CENTURY", f"the {before} of the year it began"),
            PositionInfo("YEAR", f"the {last} of the year it began"),
            PositionInfo("END", f"the last token, the {before} of the year it ended"),
        ),
        counterfactuals=(
            (f"from_{start}", f"it began in the year {start} of the {span}, so that every other year is later"),
        ),
        default_counterfactual=f"from_{start}",
        templates=len(TEMPLATES),
        listed=_count(pools),
    )


def _choose(selection: Selection, years: Years) -> Pools:
    events = selection.words("events", EVENTS, at_least=1)
    sayable = _sayable(selection.tokenizer, years)
    if not sayable:
        other = years_of(3 - years.digits)
        helps = _sayable(selection.tokenizer, other)
        raise TaskError(
            f"the task greater_than needs a vocabulary that writes a year as {years.tokens}, "
            "and this tokenizer does not",
            f"write: greater_than(digits: {other.digits})" if helps else "use another model or task",
        )
    return Pools(years, events, sayable)


def _sayable(tokenizer: Any, years: Years) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The stems after which the vocabulary has enough endings, with these."""
    found = ((stem, _endings(tokenizer, stem, years)) for stem in years.stems)
    return tuple((stem, known) for stem, known in found if years.start in known and len(known) >= years.enough)


def _endings(tokenizer: Any, stem: str, years: Years) -> tuple[str, ...]:
    """The endings that are one token right after the stem."""
    candidates = years.endings
    before, *found = tokens_of(tokenizer, [f"in {stem}", *(f"in {stem}{ending}" for ending in candidates)])
    unknown = tokenizer.unk_token_id
    if unknown in before:
        return ()
    return tuple(
        ending
        for ending, tokens in zip(candidates, found, strict=True)
        if tokens[:-1] == before and tokens[-1] != unknown
    )


def open_greater_than(ref: TaskRef) -> ListedTask[Pools]:
    """The task of ``task greater_than(digits: 2)``. Raises :class:`UnknownName` for other arguments."""
    years = years_of(whole_number(ref, "digits", default=2, low=1, high=2))
    pools = _all_pools(years)
    choose = partial(_choose, years=years)
    return ListedTask(_info(pools), TEMPLATES, pools, choose, draw_text, listing=list_texts)
