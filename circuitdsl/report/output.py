"""Where text goes: a terminal with its colours and width, a pipe without them, or a file, whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from errno import EISDIR
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from circuitdsl.errors import InputError

PLAIN_WIDTH = 100
"""Columns of text that goes to no terminal, unless COLUMNS says otherwise."""


@dataclass(frozen=True)
class View:
    """How a person sees a text: in full (``verbose``), only what does not hold (``quiet``), in so many columns."""

    verbose: bool = False
    quiet: bool = False
    width: int = PLAIN_WIDTH
    colour: bool = False

    def text(self, renderable: RenderableType) -> str:
        """A renderable as text. Of colours come as many as the environment says (TERM, COLORTERM, NO_COLOR)."""
        if not self.colour:
            return to_text(renderable, self.width)
        stream = StringIO()
        Console(file=stream, width=self.width, force_terminal=True, highlight=False, markup=False).print(renderable)
        return stream.getvalue()


def to_text(renderable: RenderableType, width: int = PLAIN_WIDTH) -> str:
    """A renderable as plain text: no colours, no blanks at line ends."""
    stream = StringIO()
    Console(file=stream, width=width, color_system=None, highlight=False, markup=False).print(renderable)
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def plain_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return max(40, int(columns)) if columns.isdigit() else PLAIN_WIDTH


def view_of(output: Path | None = None, verbose: bool = False, quiet: bool = False) -> View:
    """The view of a person before what goes to ``output``: with the colours and the width of the terminal if that is
    standard output and a terminal."""
    if output is None and sys.stdout.isatty():
        return View(verbose, quiet, Console().width, colour=True)
    return View(verbose, quiet, plain_width())


def put(text: str, output: Path | None = None) -> None:
    """Write a finished text to standard output or to a file."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file(output, text)


def need_writable(path: Path) -> None:
    """Raise InputError where a file could not be written now. Leaves everything as it is."""
    target = path.resolve()
    try:
        if target.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(f"cannot write {path}: {reason}", "name a file in a folder that exists and may be written")


def write_file(path: Path, text: str) -> None:
    """Write a text as :func:`write_bytes` does.

    What UTF-8 cannot hold (halves of letters, from names of files that are not UTF-8) is written as an escape.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file at once: whoever reads it sees the old contents or the new ones, whatever happens.

    A link is followed and the file's rights are kept. Raises InputError where it cannot be written.
    """
    target = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            temporary.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)  # gone already, unless something went wrong
    except OSError as error:
        raise _unwritable(path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
