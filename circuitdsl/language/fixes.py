"""Mistakes that can be corrected in one way only: what to write in place of what stands there.

A remedy is certain if it says one thing, ``write `95%` `` or ``leave `.q` out``, of a code in whose diagnostics that is
said of the very words of the span; or if the words are a component in another tool's notation. Every fix is tried: it
is kept only if the mistake is gone and none stands before it. Names that are near to others are never taken for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.language.environment import Environment
from circuitdsl.language.notations import notation_at
from circuitdsl.language.resolve import lint_source
from circuitdsl.language.source import Source, normalised

MOST = 200  # fixes of one text

_SYNTAX = "C1"
_WRITE = re.compile(r"write (?:it without `%`: )?`(?P<text>[^`]+)`")
_LEAVE_OUT = re.compile(r"leave `(?P<text>[^`]+)` out")
_NOTATION = re.compile(r"(?:heads|MLPs|neurons) are written `[^`]+`: `(?P<text>[^`]+)`")


@dataclass(frozen=True)
class Edit:
    """The text from offset ``start`` to before ``end`` becomes ``text``."""

    start: int
    end: int
    text: str

    def of(self, text: str) -> str:
        return f"{text[: self.start]}{self.text}{text[self.end :]}"


@dataclass(frozen=True)
class Fixed:
    """A text in which what was certain is corrected, and the diagnostics that are gone by that, in their order."""

    text: str
    corrected: tuple[Diagnostic, ...] = ()


def edit_of(diagnostic: Diagnostic, source: Source) -> Edit | None:
    """What corrects a mistake of a source's text, if that is certain."""
    span = diagnostic.span
    if span.file != source.path or not span.line:
        return None
    start, end = source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)
    find = _CERTAIN.get(diagnostic.code)
    return find(diagnostic.remedy, source.text, start, end) if find else None


def fixed(text: str, path: str, environment: Environment) -> Fixed:
    """The text of the file ``path`` with all corrected that is certain; line ends stay as they are."""
    source = Source(path, normalised(text))
    corrected: list[Diagnostic] = []
    found = lint_source(source, environment).diagnostics
    refused: set[Edit] = set()
    while len(corrected) + len(refused) < MOST:
        candidates = ((each, edit_of(each, source)) for each in found)
        chosen = next(((each, edit) for each, edit in candidates if edit and edit not in refused), None)
        if chosen is None:
            break
        diagnostic, edit = chosen
        tried = Source(path, edit.of(source.text))
        left = lint_source(tried, environment).diagnostics
        if _is_better(diagnostic, found, left):
            source, found = tried, left
            corrected.append(diagnostic)
            refused.clear()  # they were offsets into the text before
        else:
            refused.add(edit)
    return Fixed(_as_before(source.text, text) if corrected else text, tuple(corrected))


def _is_better(corrected: Diagnostic, before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> bool:
    """Whether a diagnostic is gone, none of its kind has come before it, and the text can be read as well as before.

    A mistake of syntax may have hidden others that come after it.
    """
    place, kind = (corrected.span.line, corrected.span.column), corrected.code[:2]

    def upto(found: Iterable[Diagnostic]) -> int:
        return sum(each.code[:2] == kind and (each.span.line, each.span.column) <= place for each in found)

    def unreadable(found: Iterable[Diagnostic]) -> int:
        return sum(each.code[:2] == _SYNTAX for each in found)

    return upto(after) < upto(before) and (kind == _SYNTAX or unreadable(after) <= unreadable(before))


def _as_before(text: str, before: str) -> str:
    """A text with the line ends and the byte-order mark of another one."""
    with_ends = text.replace("\n", "\r\n") if "\r\n" in before else text
    return f"\ufeff{with_ends}" if before.startswith("\ufeff") else with_ends


# --- what is certain, by codes -----------------------------------------------------------------------

Finder = Callable[[str, str, int, int], Edit | None]
"""From a remedy, a text, and the offsets of a span in it to what corrects it."""


def _written(remedy: str, text: str, start: int, end: int) -> Edit | None:
    found = _WRITE.fullmatch(remedy)
    return Edit(start, end, found["text"]) if found else None


def _input(remedy: str, text: str, start: int, end: int) -> Edit | None:
    """The input of heads, which is the last part of the span that begins with a point."""
    found, parts = _WRITE.fullmatch(remedy), list(re.finditer(r"\.[A-Za-z]+\b", text[start:end]))
    return Edit(start + parts[-1].start(), start + parts[-1].end(), found["text"]) if found and parts else None


def _left_out(remedy: str, text: str, start: int, end: int) -> Edit | None:
    found = _LEAVE_OUT.fullmatch(remedy)
    at = text.rfind(found["text"], start, end) if found else -1
    return _without(text, at, at + len(found["text"])) if found and at >= 0 else None


def _again(remedy: str, text: str, start: int, end: int) -> Edit | None:
    """What stands twice in a list of words without signs between them."""
    listed = text[:start].rstrip()[-1:] != "," and text[end : end + 1] in " \t\n}"
    return _without(text, start, end) if remedy == "leave one out" and listed else None


def _without(text: str, start: int, end: int) -> Edit:
    """Nothing in its place, nor the white space before it."""
    return Edit(len(text[:start].rstrip()) if text[start] != "." else start, end, "")


def _notation(remedy: str, text: str, start: int, end: int) -> Edit | None:
    other = notation_at(text, start)
    found = _NOTATION.fullmatch(other.remedy) if other else None
    return Edit(other.start, other.end, found["text"]) if other and found else None


_CERTAIN: dict[str, Finder] = {
    **dict.fromkeys(("C104", "C304", "C503", "C505", "C506", "C606"), _written),
    **dict.fromkeys(("C510", "C513", "C518"), _left_out),
    **dict.fromkeys(("C101", "C203", "C221"), _notation),
    "C512": _input,
    "C516": _again,
}
