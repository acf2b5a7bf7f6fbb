"""Values of untrusted files, looked at one by one.

Every value knows its place, so that an error names the file and the way to the value in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from circuitdsl.errors import InputError

_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Field:
    """A value of a file, with its place: ``at`` is the way to it, ``edges["a0.h0->m0"].score``, or a line."""

    value: Any
    file: str
    at: str = ""

    def wrong(self, message: str, remedy: str) -> NoReturn:
        """Raise InputError about this value."""
        raise InputError(f"{self.file}{', ' * bool(self.at)}{self.at}: {message}", remedy)

    def inside(self, key: str | int, value: object) -> Field:
        """A value of this object or list, under its key or number."""
        step = f"[{json.dumps(key)}]" if not isinstance(key, str) or not key.isidentifier() else f".{key}"
        return Field(value, self.file, (self.at + step).removeprefix("."))

    # --- values of one type; each raises InputError for another -------------------------------------

    def items(self) -> Iterator[tuple[str, Field]]:
        """The keys of an object with their values."""
        if not isinstance(self.value, dict):
            self._not("an object {...}")
        for key, value in self.value.items():
            if not isinstance(key, str):
                self.wrong(f"the key {short(key)} is no text", "see docs/exchange.md for the format")
            yield key, self.inside(key, value)

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Field]:
        """An object with these keys and no others."""
        found = dict(self.items())
        for key in required:
            if key not in found:
                self.wrong(f"there is no `{key}`", f"add it; needed are {', '.join(required)}")
        for key in found:
            if key not in (*required, *optional):
                known = ", ".join((*required, *optional))
                found[key].wrong("this key is not known, and nothing is left out unread", f"known here: {known}")
        return found

    def elements(self) -> Iterator[Field]:
        if not isinstance(self.value, list | tuple):
            self._not("a list [...]")
        for number, value in enumerate(self.value):
            yield self.inside(number, value)

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self._not("a number")
        try:
            value = float(self.value)
        except OverflowError:  # a whole number of hundreds of digits
            value = math.inf
        if not math.isfinite(value):
            self.wrong(f"{short(self.value)} is no score", "leave out what was not measured, or give it a number")
        return value

    def number_or_none(self) -> float | None:
        """A number; None where it is not a number (NaN), which stands for what was not measured."""
        return None if isinstance(self.value, float) and math.isnan(self.value) else self.number()

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self._not("true or false")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str):
            self._not("a text")
        return self.value

    def whole(self) -> int:
        """A whole number, 0 or more."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            self._not("a whole number, 0 or more")
        return self.value

    def lines(self) -> Iterator[Field]:
        """The lines of a text that are not empty and do not begin with #."""
        for number, line in enumerate(self.text().splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield Field(line.strip(), self.file, f"line {number}")

    def _not(self, what: str) -> NoReturn:
        self.wrong(f"{short(self.value)} is not {what}", f"write {what} here")


def short(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
