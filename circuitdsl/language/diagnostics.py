"""What is wrong with a specification, where, and what to do: diagnostics with stable codes, and their rendering."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from circuitdsl.errors import InputError
from circuitdsl.language.codes import CODES, WARNINGS
from circuitdsl.language.source import Source, Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong. ``code`` is a key of :func:`codes`; ``remedy`` says what to do, ``notes`` why."""

    code: str
    message: str
    span: Span
    remedy: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(self.code)

    @property
    def severity(self) -> Severity:
        return "warning" if self.code in WARNINGS else "error"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; lines and columns count from 1, and are 0 where the file as a whole is meant."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.span.file,
            "line": self.span.line,
            "column": self.span.column,
            "end_line": self.span.end_line,
            "end_column": self.span.end_column,
            "help": self.remedy,
            "notes": list(self.notes),
        }


class SpecError(InputError):
    """A specification that is wrong: its diagnostics, errors and warnings, in the order of the text."""

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source] | None = None):
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources or {})
        super().__init__(self.render())

    def render(self, color: bool = False) -> str:
        """All diagnostics as text for a person, with a last line that counts them."""
        return render_all(self.diagnostics, self.sources, color)


def codes() -> Mapping[str, str]:
    """Every stable code with its explanation, a paragraph each."""
    return CODES


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be, or None."""
    known = list(dict.fromkeys(known))
    folded = {candidate.casefold(): candidate for candidate in reversed(known)}
    found = difflib.get_close_matches(name[:80].casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """A remedy for an unknown name: the nearest known one, and what is known unless that is much."""
    known = list(dict.fromkeys(known))
    near = nearest(name, known)
    meant = f"did you mean `{near}`? " if near else ""
    if near and len(known) > 8:
        return meant.strip()
    if not known:
        return f"there is no {what} here"
    shown = ", ".join(f"`{name}`" for name in known[:12]) + (", ..." if len(known) > 12 else "")
    return f"{meant}{what}s here: {shown}" if len(known) > 1 else f"{meant}the only {what} here: {shown}"


# --- rendering -------------------------------------------------------------------------------------

MOST_SHOWN = 200
_WIDEST = 140
_STYLES = {"error": "1;31", "warning": "1;33", "bold": "1", "frame": "1;34", "help": "1;32"}


def render(diagnostic: Diagnostic, source: Source | None, color: bool = False) -> str:
    """A diagnostic as rustc and ruff write theirs; without ``source``, or without a line, its text is left out.

    Control characters of the message and the text never reach the terminal.
    """

    def paint(style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text

    span = diagnostic.span
    head = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{head}{paint('bold', ': ' + _printable(diagnostic.message))}"]
    gutter = " " * len(str(span.line))
    lines.append(f"{gutter}{paint('frame', '-->')} {_printable(str(span))}")
    if source is not None and 0 < span.line <= len(source.lines):
        text, left, width = _excerpt(source.lines[span.line - 1], span)
        bar = paint("frame", "|")
        lines.append(f"{gutter} {bar}")
        lines.append(f"{paint('frame', str(span.line))} {bar} {text}".rstrip())
        lines.append(f"{gutter} {bar} {' ' * left}{paint(diagnostic.severity, '^' * width)}")
    if diagnostic.remedy:
        lines.append(f"{gutter} {paint('frame', '=')} {paint('help', 'help')}: {_printable(diagnostic.remedy)}")
    lines += [f"{gutter} {paint('frame', '=')} note: {_printable(note)}" for note in diagnostic.notes]
    return "\n".join(lines)


def render_all(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], color: bool = False) -> str:
    """Diagnostics one after the other, then how many there are; "" for none.

    Of more than ``MOST_SHOWN`` the first are rendered: nobody reads further, and a large file may hold very many.
    """
    if not diagnostics:
        return ""
    parts = [render(diagnostic, sources.get(diagnostic.span.file), color) for diagnostic in diagnostics[:MOST_SHOWN]]
    more = len(diagnostics) - len(parts)
    return "\n\n".join([*parts, count(diagnostics) + (f"; the last {more} are not shown" if more > 0 else "")])


def count(diagnostics: Sequence[Diagnostic]) -> str:
    """``2 errors, 1 warning``."""
    numbers = {word: sum(diagnostic.severity == word for diagnostic in diagnostics) for word in ("error", "warning")}
    return ", ".join(f"{n} {word}{'s' * (n != 1)}" for word, n in numbers.items() if n) or "no errors"


def _printable(text: str) -> str:
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\t":
        return " "
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character


def _cells(text: str) -> int:
    """Terminal columns that a printable text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _excerpt(line: str, span: Span) -> tuple[str, int, int]:
    """The part of a line to show, and the column and width of its underline, in terminal columns."""
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    first = 0 if start < _WIDEST - 20 else start - 40
    last = min(len(line), first + _WIDEST)
    dots = "..." if first else ""
    shown = dots + _printable(line[first:last]) + ("..." if last < len(line) else "")
    left = len(dots) + _cells(_printable(line[first:start]))
    width = _cells(_printable(line[start : max(start, min(end, last))]))
    return shown, left, max(1, width)


@dataclass
class Collector:
    """Where the passes put what they find, so that one run reports as much as it can; each thing once."""

    _found: dict[Diagnostic, None] = field(default_factory=dict[Diagnostic, None])

    @property
    def found(self) -> tuple[Diagnostic, ...]:
        return tuple(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, code: str, message: str, span: Span, remedy: str = "", *notes: str) -> None:
        self.take([Diagnostic(code, message, span, remedy, notes)])

    def take(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._found.update(dict.fromkeys(diagnostics))
