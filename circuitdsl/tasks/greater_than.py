"""Greater-than: something lasted from one year to another of the same century; the answer is any later year.

The task of Hanna et al. 2023 (arXiv:2305.00586) with wordings of our own. It has many right answers: every later
year's last two digits. It needs a tokenizer that writes a year as two tokens of two digits, as GPT-2's does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import refuse_all
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
FIRST, LAST = 2, 98  # so that there are earlier and later years in the century, and 01 is earlier than all
START = "01"  # the counterfactual's year
ENOUGH = 50  # years of a century, or it is left out


@dataclass(frozen=True)
class Pools:
    """What one tokenizer has: events of one token, and the years of each century that are two digits and two."""

    events: tuple[str, ...]
    endings: tuple[tuple[str, tuple[str, ...]], ...]  # (century, all of 00 .. 99 that follow it as one token)


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template``; ``answer`` is a right answer drawn at random, ``right`` are all of them."""
    century, endings = rng.choice(pools.endings)
    year = rng.choice(_begins(endings))
    event = rng.choice(pools.events)
    return _written(template, event, century, year, endings, rng.choice(_later(year, endings)))


def list_texts(template: str, pools: Pools) -> Iterator[TextPrompt]:
    """Every prompt of ``template``; ``answer`` is the first of the right answers."""
    for event, (century, endings) in product(pools.events, pools.endings):
        for year in _begins(endings):
            yield _written(template, event, century, year, endings, _later(year, endings)[0])


def _begins(endings: tuple[str, ...]) -> tuple[str, ...]:
    """The years in which something may begin: there are earlier and later ones."""
    return tuple(ending for ending in endings if FIRST <= int(ending) <= LAST and ending < endings[-1])


def _later(year: str, endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ending for ending in endings if ending > year)


def _written(template: str, event: str, century: str, year: str, endings: tuple[str, ...], answer: str) -> TextPrompt:
    words = {"EVENT": event, "CENTURY": century, "YEAR": year, "END": century}
    pattern = PATTERNS[int(template)]
    text, spans = fill(pattern, words)
    return TextPrompt(
        text=text,
        answer=answer,
        wrong=tuple(ending for ending in endings if ending <= year),
        options=endings,
        spans={name: (spans[name],) for name in ("EVENT", "CENTURY", "YEAR")},
        counterfactuals={"from_01": fill(pattern, words | {"YEAR": START})[0]},
        template=template,
        right=_later(year, endings),
    )


def _count(pools: Pools) -> int:
    years = sum(len(_begins(endings)) for _, endings in pools.endings)
    return len(TEMPLATES) * len(pools.events) * years


def _all_pools() -> Pools:
    """All events, and every century with all its years."""
    years = tuple(f"{year:02d}" for year in range(100))
    return Pools(EVENTS, tuple((str(century), years) for century in CENTURIES))


_INFO = TaskInfo(
    name="greater_than",
    about="Greater-than: a span of years within a century, and any later year is right (Hanna et al. 2023); measure it "
    "with probability_diff",
    positions=(
        PositionInfo("EVENT", "what lasted"),
        PositionInfo("CENTURY", "the first two digits of the year it began"),
        PositionInfo("YEAR", "the last two digits of the year it began"),
        PositionInfo("END", "the last token, the first two digits of the year it ended"),
    ),
    counterfactuals=(("from_01", "it began in the year 01 of the century, so that every other year is later"),),
    default_counterfactual="from_01",
    templates=len(TEMPLATES),
    listed=_count(_all_pools()),
)


def _choose(selection: Selection) -> Pools:
    return Pools(selection.words("events", EVENTS, at_least=1), _years(selection.tokenizer))


def _years(tokenizer: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The centuries of which the vocabulary has enough years, with these. Raises :class:`TaskError` if none has."""
    found = ((str(century), _endings(tokenizer, str(century))) for century in CENTURIES)
    usable = tuple((century, years) for century, years in found if START in years and len(years) >= ENOUGH)
    if not usable:
        raise TaskError(
            "the task greater_than needs a vocabulary that writes a year as two tokens of two digits, as 17|32, and "
            "this tokenizer does not",
            "use a model with GPT-2's vocabulary, or another task",
        )
    return usable


def _endings(tokenizer: Any, century: str) -> tuple[str, ...]:
    """Those of 00 .. 99 that are one token right after the century, which is one token after a space."""
    candidates = [f"{year:02d}" for year in range(100)]
    before, *found = tokens_of(tokenizer, [f"in {century}", *(f"in {century}{year}" for year in candidates)])
    unknown = tokenizer.unk_token_id
    if len(before) != 2 or unknown in before:
        return ()
    return tuple(
        year for year, tokens in zip(candidates, found, strict=True) if tokens[:-1] == before and tokens[-1] != unknown
    )


def open_greater_than(ref: TaskRef) -> ListedTask[Pools]:
    """The task of ``task greater_than``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return ListedTask(_INFO, TEMPLATES, _all_pools(), _choose, draw_text, listing=list_texts)
