"""Texts and places in them, and reading a specification file within limits."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MOST_BYTES = 4_000_000


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of a file. Lines and columns count from 1; ``end_column`` is the first column after it."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @classmethod
    def of_file(cls, file: str) -> Span:
        """No place in particular: the file as a whole, as when it cannot be read."""
        return cls(file, 0, 0, 0, 0)

    def to(self, end: Span) -> Span:
        """From the start of this span to the end of another one of the same file."""
        return Span(self.file, self.line, self.column, end.end_line, end.end_column)


NOWHERE = Span.of_file("")


@dataclass(frozen=True)
class Comment:
    """``# ...`` to the end of its line."""

    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """A text under the name that messages give it. Lines end in a line feed alone."""

    path: str
    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.split("\n"))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return tuple(starts)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset into the text, counted from 1."""
        line = bisect_right(self._starts, offset, hi=len(self.lines))
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and a column, counted from 1: what ``place`` takes."""
        return self._starts[line - 1] + column - 1

    def span(self, start: int, end: int) -> Span:
        """The span of the characters from offset ``start`` to before ``end``."""
        return Span(self.path, *self.place(start), *self.place(end))

    def comments(self) -> Iterator[Comment]:
        """All comments, in order; a ``#`` in a string begins none."""
        for found in _STRING_OR_COMMENT.finditer(self.text):
            if found[0].startswith("#"):
                line, column = self.place(found.start())
                yield Comment(found[0].rstrip(), line, column)

    def words(self) -> Iterator[str]:
        """All words, in order, but for those in strings and comments."""
        for found in _WORD.finditer(_STRING_OR_COMMENT.sub(" ", self.text)):
            yield found[0]


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*')


class Unreadable(Exception):
    """A file that cannot be read as a specification; ``code`` is the diagnostic's."""

    def __init__(self, code: str, message: str, remedy: str):
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


def normalised(text: str) -> str:
    """The text without a byte-order mark and with line feeds alone at line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_source(path: str | Path) -> Source:
    """Read a specification: a regular UTF-8 file of at most 4 MB.

    Raises:
        Unreadable: with the diagnostic's code and a remedy.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise Unreadable("C001", f"`{path}` is a folder", "name a .circuit file in it")
        if not file.exists():
            raise Unreadable("C001", f"there is no file `{path}`", "check the path")
        if not file.is_file():
            raise Unreadable("C001", f"`{path}` is not a regular file", "name a .circuit file")
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise Unreadable("C001", f"`{path}` cannot be read: {error}", "check the path and its rights") from error
    if len(data) > MOST_BYTES:
        remedy = "say several edges in one, `edge {1.0 1.1} -> 2.0.q`, or give each circuit a file of its own"
        raise Unreadable("C003", f"`{path}` is larger than 4 MB", remedy)
    try:
        return Source(str(path), normalised(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"`{path}` is not UTF-8: byte 0x{data[error.start]:02x} on line {line}"
        raise Unreadable("C002", message, "save the file as UTF-8") from error
