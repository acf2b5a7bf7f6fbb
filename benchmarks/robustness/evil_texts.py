"""Texts that would do harm where they are shown as they are, records that hold them, and what harm is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from circuitdsl.visible import UNSEEN

EVIL = (
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b[1A\x1b[2K\x1b[32m✓ FORGED",  # over the line before
    "\x1b]0;title\x07",
    "\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mred",  # CSI in one character
    "\x90payload\x9c",
    "over\r✓ FORGED",
    "below\n✓ FORGED",
    "below\r\n✓ FORGED",
    "below\x0b✓ FORGED",
    "below\x0c✓ FORGED",
    "below\x1c✓ FORGED",
    "below\x85✓ FORGED",
    "below\u2028✓ FORGED",
    "below\u2029✓ FORGED",
    "back\x08\x08\x08\x08FORGED",
    "nul\x00nul",
    "bell\x07",
    "del\x7f",
    "\u202edlrow olleh",  # right to left
    "\u2066isolated\u2069",
    "half \ud800",
    "other half \udcff",
    "no character \ufffe \uffff \U0001ffff",
    "\ufeffmark",
    "[bold red]markup[/bold red] [link=http://example.org]x[/link]",
    "<script>alert('x')</script> & \"quoted\" ]]> <!-- -->",
    "</text></svg>",
    "{0} %s %(name)s ${HOME} `id`",
    "tab\there",
)

TOGETHER = tuple(" and ".join(EVIL[first : first + 10]) for first in range(0, len(EVIL), 10))
"""The same, several in a text: for what takes long to be drawn."""

FOREIGN = frozenset(
    {"about", "file", "example", "label", "model", "note", "notes", "template", "text", "tokens", "unexplained_note"}
)
"""Fields of records whose text comes from a specification, a file of prompts or the names of files."""

Record = TypeVar("Record")


def poisoned(record: Record, evil: str) -> Record:
    """A record of records with an evil text in every foreign field."""
    return _poisoned(record, evil)


def _poisoned(value: Any, evil: str, foreign: bool = False) -> Any:
    if isinstance(value, str):
        return f"{value} {evil}" if foreign else value
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_poisoned(each, evil, foreign) for each in value)
    if isinstance(value, Mapping):
        return {key: _poisoned(each, evil, foreign) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        of_file = evil.replace("\ud800", "\udc80")  # no file can have half a letter that is not half a byte
        made = {
            f.name: _poisoned(getattr(value, f.name), of_file if f.name == "file" else evil, f.name in FOREIGN)
            for f in fields(value)
            if f.init
        }
        return replace(value, **made)
    return value


def harm_of(page: str) -> Iterator[str]:
    """What foreign text does to a page without colours: characters that are not seen, lines that it began."""
    if found := UNSEEN.search(page.replace("\n", "")):
        yield f"{found[0]!r} in {page[max(0, found.start() - 20) : found.end() + 20]!r}"
    yield from (f"a line begins {line[:40]!r}" for line in page.split("\n") if _FORGED.match(line))


_FORGED = re.compile(r"\s*✓ FORGED")


def harm_of_xml(text: str) -> Iterator[str]:
    """What foreign text does to XML: it is not read any more, or has elements of its own."""
    try:
        read = ET.fromstring(text.encode("utf-8"))
    except (ET.ParseError, UnicodeEncodeError) as error:
        yield f"it is no XML: {error}"
        return
    yield from (f"there is an element {each.tag}" for each in read.iter() if each.tag in ("script", "b"))
