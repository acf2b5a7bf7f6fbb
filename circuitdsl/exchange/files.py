"""Untrusted files: read within limits and decoded without running anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from circuitdsl.errors import InputError
from circuitdsl.exchange.fields import Field, short

MOST_BYTES = 128 * 2**20
MOST_DEPTH = 8
"""How deep lists and objects may be nested; no format here needs more than 4."""

Encoding = Literal["json", "text", "torch"]


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
            raise InputError(f"{name}: the key {short(twice)} stands twice in one object", "leave one out")
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
