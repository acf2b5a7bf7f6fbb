"""What arguments of functions may be: a table says it of each name, so that it is looked at in one way before any work.

What only the work can tell, as whether a name is known, the work does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from numbers import Integral
from os import PathLike
from typing import ParamSpec, TypeVar

from circuitdsl.errors import InputError, shown

Taken = ParamSpec("Taken")
Given = TypeVar("Given")


@dataclass(frozen=True)
class Argument:
    """An argument: what it has to be, in words, an example of it, and whether a value is that."""

    what: str
    example: str
    fits: Callable[[object], bool]

    def require(self, name: str, value: object) -> None:
        """Raise InputError for a value that does not fit; ``name`` is what the argument is called."""
        if not self.fits(value):
            raise InputError(f"`{name}` has to be {self.what}, not {shown(value)}", f"write {self.example}")


def checked_by(arguments: Mapping[str, Argument]) -> Callable[[Callable[Taken, Given]], Callable[Taken, Given]]:
    """A decorator: the function raises InputError for an argument that is not what ``arguments`` says of its name.

    The default of an argument may always be given.
    """

    def checked(function: Callable[Taken, Given]) -> Callable[Taken, Given]:
        signature = inspect.signature(function)

        @wraps(function)
        def asked(*given: Taken.args, **named: Taken.kwargs) -> Given:
            try:
                values = signature.bind(*given, **named).arguments
            except TypeError:
                return function(*given, **named)  # which says by its name what it takes
            for name, value in values.items():
                parameter = signature.parameters[name]
                if name not in arguments:
                    continue
                if parameter.kind is parameter.VAR_POSITIONAL:
                    for each in value:
                        arguments[name].require(name, each)
                elif value is not parameter.default:
                    arguments[name].require(name, value)
            return function(*given, **named)

        return asked

    return checked


# --- kinds of arguments -------------------------------------------------------------------------------


def a(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


def whole(least: int, most: int | None = None) -> Callable[[object], bool]:
    """Whether a value is a whole number from ``least`` to ``most``, Python's or NumPy's, and no bool."""

    def is_whole(value: object) -> bool:
        if not isinstance(value, Integral) or isinstance(value, bool):
            return False
        return least <= int(value) and (most is None or int(value) <= most)

    return is_whole


def several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def is_flag(value: object) -> bool:
    """Whether it is a bool, Python's or NumPy's, which need not be imported for it."""
    return isinstance(value, bool) or (type(value).__module__, type(value).__name__[:4]) == ("numpy", "bool")


def text(what: str, example: str) -> Argument:
    return Argument(what, example, a(str))


def flag(example: str) -> Argument:
    return Argument("True or False", example, is_flag)


def file(example: str) -> Argument:
    return Argument("the name of a file", example, a(str, PathLike))
