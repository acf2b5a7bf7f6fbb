"""A parser that is kept between calls, since Lark takes a tenth of a second to make its table of a grammar.

Kept is what Lark says of a parser as data, as JSON with a checksum, under a hash of all that it is made of: the
grammar, options, how its terminals are edited, and Lark's version. What cannot be read or lacks its checksum is made
again; what cannot be written is not kept. How Lark puts a parser into data is its own: with a release that does it
otherwise nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from circuitdsl.errors import InputError
from circuitdsl.home import made_whole, own_cache

_FORMAT = "circuitdsl/parser/1"


def kept_parser(
    text: str, options: Mapping[str, Any], edited: str, edit_terminals: Callable[[TerminalDef], None]
) -> Lark:
    """The parser of a grammar: the one that is kept, or one that is made, and kept. ``edited`` stands for what
    ``edit_terminals`` does. Raises LarkError for a grammar that is none."""
    key = _hash(json.dumps([_FORMAT, lark.__version__, text, options, edited]).encode())

    def make() -> Lark:
        return Lark(text, **options, edit_terminals=edit_terminals)

    try:
        path = own_cache() / "parsers" / f"{key}.json"
    except InputError:  # a user who has no home
        return make()
    found = _read(path)
    if found is None:
        found = make()
        with suppress(Exception), made_whole(path) as part:
            part.write_bytes(_data(found))
    return found


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _data(parser: Lark) -> bytes:
    """A file of a parser: what Lark's own files of parsers hold, after its checksum."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])  # pyright: ignore[reportUnknownMemberType]
    data["options"]["edit_terminals"] = None  # the terminals are those that it has edited
    written = json.dumps({"data": data, "memo": memo}).encode()
    return _hash(written).encode() + b"\n" + written


def _read(path: Path) -> Lark | None:
    try:
        checksum, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if checksum.decode("ascii", "replace") != _hash(data):
        return None
    try:
        return _parser(json.loads(data))
    except Exception:
        return None


def _parser(kept: dict[str, Any]) -> Lark:
    table = kept["data"]["parser"]["parser"]
    table["tokens"] = _by_number(table["tokens"])
    table["states"] = {
        state: {token: tuple(action) for token, action in _by_number(actions).items()}
        for state, actions in _by_number(table["states"]).items()
    }
    return Lark._load_from_dict(kept["data"], _by_number(kept["memo"]))  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]


def _by_number(of_json: dict[str, Any]) -> dict[int, Any]:
    """JSON has no numbers as keys."""
    return {int(key): value for key, value in of_json.items()}
