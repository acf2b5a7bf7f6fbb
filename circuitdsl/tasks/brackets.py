"""Brackets of two kinds: which one closes what is open? ``([[]`` is followed by ``]``.

The case of Ge et al. 2024 (arXiv:2405.13868) in small, so that all prompts can be listed: every text of ``LENGTH``
brackets that opens and closes rightly, ends in a closing bracket and leaves something open. As ``LENGTH`` is even, two
are open at least.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import product

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, VariableInfo
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import ListedTask, Selection
from circuitdsl.tasks.prompts import Prediction, TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import tokens_of

LENGTH = 8
OPENING, CLOSING = "([", ")]"

INSIDE = {"two": 2, "four": 4, "six": 6}
"""How many brackets stand between the innermost open one and the end, by template."""

TEMPLATES = tuple(INSIDE)

KIND, OUTER, INNER = "kind", "outer", "inner"


def turned(text: str, start: int, stop: int) -> str:
    """The same text with the brackets from ``start`` to before ``stop`` of the other kind."""
    other = str.maketrans(OPENING + CLOSING, OPENING[::-1] + CLOSING[::-1])
    return text[:start] + text[start:stop].translate(other) + text[stop:]


def open_places(text: str) -> tuple[int, ...]:
    """Where the brackets stand that are open at the end, the outermost first. Raises ValueError for a wrong text.

    >>> open_places("([[]")
    (0, 1)
    """
    found: list[int] = []
    for place, bracket in enumerate(text):
        if bracket in OPENING:
            found.append(place)
        elif not found or OPENING.index(text[found.pop()]) != CLOSING.index(bracket):
            raise ValueError(f"{text!r} closes what is not open, at {place}")
    return tuple(found)


@cache
def texts(length: int) -> tuple[str, ...]:
    """All texts of a length that close nothing but what is open."""
    if length == 0:
        return ("",)
    found: list[str] = []
    for text in texts(length - 1):
        inside = open_places(text)
        found += [text + opening for opening in OPENING]
        found += [text + CLOSING[OPENING.index(text[inside[-1]])]] if inside else []
    return tuple(found)


@cache
def _listed(template: str) -> tuple[TextPrompt, ...]:
    inside = INSIDE[template]
    before, within = texts(LENGTH - inside - 1), [text for text in texts(inside) if not open_places(text)]
    return tuple(_written("".join(parts), template) for parts in product(before, OPENING, within))


def listing(template: str, pools: tuple[()]) -> Iterator[TextPrompt]:
    """All prompts of a template."""
    yield from _listed(template)


def _written(text: str, template: str) -> TextPrompt:
    outer, innermost = open_places(text)[-2:]
    kind = OPENING.index(text[innermost])
    right, wrong = CLOSING[kind], CLOSING[1 - kind]
    return TextPrompt(
        text=text,
        answer=right,
        wrong=(wrong,),
        options=tuple(CLOSING),
        spans={"OPEN": ((innermost, innermost + 1),), "OUTER": ((outer, outer + 1),)},
        counterfactuals={
            KIND: turned(text, innermost, innermost + 1),
            OUTER: turned(text, outer, outer + 1),
            INNER: turned(text, innermost + 1, LENGTH),
        },
        template=template,
        predicted={"KIND": Prediction(KIND, wrong)},
    )


def _draw(template: str, pools: tuple[()], rng: random.Random) -> TextPrompt:
    return rng.choice(_listed(template))


def _choose(selection: Selection) -> tuple[()]:
    """Nothing, for a tokenizer whose tokens brackets are, next to any other. Raises TaskError for another."""
    every, unknown = OPENING + CLOSING, selection.tokenizer.unk_token_id
    pairs = [first + second for first, second in product(every, repeat=2)]
    for pair, found in zip(pairs, tokens_of(selection.tokenizer, pairs), strict=True):
        if unknown in found:
            fault = f"this tokenizer does not know all of {pair}"
        elif len(found) != len(pair):
            fault = f"{pair} is {'one token' if len(found) == 1 else f'{len(found)} tokens'} for this tokenizer"
        else:
            continue
        message = f"brackets need a vocabulary in which each of {every} is a token, also next to another: {fault}"
        raise TaskError(message, "use the model brackets, or another task")
    return ()


INFO = TaskInfo(
    name="brackets",
    about="Round and square brackets: which closes the innermost open one, after others within it (Ge et al. 2024)",
    positions=(
        PositionInfo("OPEN", "the innermost open bracket, which the answer closes"),
        PositionInfo("OUTER", "the open bracket around it"),
        PositionInfo("END", "the last token, a closing bracket"),
    ),
    counterfactuals=(
        (KIND, "the innermost open bracket is of the other kind, and so is the answer"),
        (OUTER, "the open bracket around it is of the other kind; the answer stays"),
        (INNER, "all brackets after it are of the other kind; the answer stays"),
    ),
    default_counterfactual=KIND,
    templates=len(TEMPLATES),
    variables=(VariableInfo("KIND", "the kind of the innermost open bracket: it gives the answer", KIND),),
    listed=sum(len(_listed(template)) for template in TEMPLATES),
)


def open_brackets(ref: TaskRef) -> ListedTask[tuple[()]]:
    """The task of ``task brackets``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return ListedTask(INFO, TEMPLATES, (), _choose, _draw, listing=listing)
