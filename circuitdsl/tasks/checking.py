"""What the arguments of this package's functions may be, by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Real
from os import PathLike
from typing import cast

from circuitdsl.arguments import Argument, checked_by, flag, whole
from circuitdsl.language.environment import TaskRef

MOST_DRAWN = 2_000_000
"""Twice as many prompts as a method may say, for some searches look again on as many others."""

_MOST_SEED = 2**63  # methods say less, and the seeds of references and of shams are made of theirs


def _is_ref(value: object) -> bool:
    """Whether it names a task, in the kinds of values that ``TaskRef`` says."""
    if not isinstance(value, TaskRef):
        return False
    fields: tuple[object, ...] = (value.name, value.arguments, value.folder)
    match fields:
        case (str(), Collection() as pairs, str() | PathLike()):
            return all(map(_is_pair, cast(Collection[object], pairs)))
        case _:
            return False


def _is_pair(given: object) -> bool:
    match given:
        case (str(), bool()):
            return False
        case (str(), str() | Real()):
            return True
        case _:
            return False


def _is_tokenizer(value: object) -> bool:
    """Whether it may be a tokenizer; one that is not fast is refused where a task needs a fast one."""
    return not isinstance(value, type | bytes | bytearray) and (hasattr(value, "is_fast") or hasattr(value, "decode"))


ARGUMENTS: Mapping[str, Argument] = {
    "ref": Argument(
        "a TaskRef: a name, and pairs of a text and a value",
        'TaskRef("ioi"), or TaskRef("colored_objects", (("shots", 0),)), with `from circuitdsl.tasks import TaskRef`',
        _is_ref,
    ),
    "tokenizer": Argument(
        "a fast tokenizer of Hugging Face's kind",
        'tokenizer=cd.models.tokenizer_of("mini")',
        _is_tokenizer,
    ),
    "count": Argument(f"a whole number of prompts, up to {MOST_DRAWN:,}", "count=20", whole(0, MOST_DRAWN)),
    "seed": Argument("a whole number from 0", "seed=0", whole(0, _MOST_SEED)),
    "bos": flag("bos=False"),
}

checked = checked_by(ARGUMENTS)
"""Every public function that takes something is decorated with it."""
