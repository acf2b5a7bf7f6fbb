"""Untrusted files: read within limits, decoded without running anything, and looked at value by value.

Every value knows its place, so that an error names the file and the way to the value in it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from circuitdsl.errors import InputError

MOST_BYTES = 128 * 2**20
MOST_DEPTH = 8
"""How deep lists and objects may be nested; no format here needs more than 4."""

Encoding = Literal["json", "text", "torch"]

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
                self.wrong(f"the key {_short(key)} is no text", "see docs/exchange.md for the format")
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
        if not math.isfinite(self.value):
            self.wrong(f"{self.value} is no score", "leave out what was not measured, or give it a number")
        return float(self.value)

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
        self.wrong(f"{_short(self.value)} is not {what}", f"write {what} here")


def _short(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


# --- files -------------------------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """A file of at most MOST_BYTES. Raises InputError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}", "name a file that exists and may be read") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES // 2**20} MiB", "export fewer edges, or use .pt")
    return data


def encoding_of(path: Path) -> Encoding:
    """How a file is encoded, by the end of its name."""
    ends: dict[str, Encoding] = {".json": "json", ".pt": "torch", ".pth": "torch"}
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(
            f"{path} is a pickle, which can run any code when it is read",
            "export it again as JSON, as text or as a .pt file of tensors",
        )
    return ends.get(path.suffix.lower(), "text")


def decode(path: Path, encoding: Encoding) -> Field:
    """What a file holds. Raises InputError where it cannot be read as that. Torch is loaded for tensors alone."""
    data, name = read_bytes(path), str(path)
    if encoding == "torch":
        from circuitdsl.exchange.tensors import load_tensors

        return Field(load_tensors(data, name), name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}, line {line}: byte {error.start} is not UTF-8", "save it as UTF-8 text") from error
    return Field(_json(text, name) if encoding == "json" else text, name)


def _json(text: str, name: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise InputError(f"{name}: the key {_short(twice)} stands twice in one object", "leave one out")
        return found

    if _depth(text) > MOST_DEPTH:
        raise InputError(f"{name}: nested deeper than {MOST_DEPTH}", "see docs/exchange.md for the formats")
    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name}, {place}: not JSON: {error.msg}", "export the file again") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise InputError(f"{name}: not JSON: {error}", "export the file again") from error


def _depth(text: str) -> int:
    """How deep brackets are nested outside of texts; stops where it is too deep, so that no parser recurses."""
    depth = deepest = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        sign = found[0]
        depth += (sign in "[{") - (sign in "]}") if len(sign) == 1 else 0
        deepest = max(deepest, depth)
        if deepest > MOST_DEPTH:
            break
    return deepest
