"""Where text goes: a terminal with its colours and width, a pipe without them, or a file, written in full or left."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from errno import EACCES, EISDIR
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from circuitdsl.report.text import Page

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
        self._page(stream).print(renderable)
        return stream.getvalue()

    def lines(self, text: RenderableType) -> str:
        """A text as it stands, however long its lines are."""
        stream = StringIO()
        self._page(stream).print(text, soft_wrap=True)
        return stream.getvalue()

    def _page(self, stream: StringIO) -> Page:
        from circuitdsl.report.text import Page  # rich, which only pages need

        if not self.colour:
            return Page(file=stream, width=self.width, color_system=None, highlight=False, markup=False)
        return Page(file=stream, width=self.width, force_terminal=True, highlight=False, markup=False)


def to_text(renderable: RenderableType, width: int = PLAIN_WIDTH) -> str:
    """A renderable as plain text: no colours, no blanks at line ends."""
    from circuitdsl.report.text import Page

    stream = StringIO()
    Page(file=stream, width=width, color_system=None, highlight=False, markup=False).print(renderable)
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def plain_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return max(40, int(columns)) if columns.isdigit() else PLAIN_WIDTH


def view_of(output: Path | None = None, verbose: bool = False, quiet: bool = False) -> View:
    """The view of a person before what goes to ``output``: with the colours and the width of the terminal if that is
    standard output and a terminal; of colours as many as NO_COLOR and FORCE_COLOR leave."""
    if output is None and sys.stdout.isatty():
        from rich.console import Console

        return View(verbose, quiet, Console().width, colour=True)
    return View(verbose, quiet, plain_width(), colour=output is None and forced_colour())


def forced_colour() -> bool:
    """Whether the environment wants colours where there is no terminal, too (FORCE_COLOR); NO_COLOR is stronger."""
    return bool(os.environ.get("FORCE_COLOR")) and not os.environ.get("NO_COLOR")


def put(text: str, output: Path | None = None) -> None:
    """Write a finished text to standard output or to a file."""
    if output is None:
        _print(text)
    else:
        write_file(output, text)


def _print(text: str) -> None:
    """Write to standard output. Raises InputError where that is closed or full; that its reader has gone is no mistake
    of anybody's, and stays a BrokenPipeError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unprintable(error) from error


def need_room(output: Path | None) -> None:
    """Raise InputError where ``put`` could not write now: before an hour of experiments, and not after it."""
    if output is not None:
        need_writable(output)
    elif not sys.stdout.writable():
        raise unprintable(OSError())


def unprintable(error: OSError) -> InputError:
    """The error of a standard output that takes nothing, which is given up."""
    give_up(sys.stdout)
    reason = error.strerror or "it is closed"
    return InputError(f"cannot write to standard output: {reason}", "write to a file (-o), or where there is room")


def give_up(stream: IO[str]) -> None:
    """Send to nowhere what a stream does not take, so that Python does not try again, and complain, at exit."""
    try:
        descriptor = stream.fileno()
    except OSError:  # it is no file
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def need_writable(path: Path) -> None:
    """Raise InputError where a file could not be written now. Leaves everything as it is."""
    try:
        if not is_replaced(path):
            if path.is_dir():
                raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
            if _own_descriptor(path) is None and not os.access(path, os.W_OK):
                raise PermissionError(EACCES, os.strerror(EACCES))
            return
        with tempfile.TemporaryFile(dir=path.resolve().parent):
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
    """Write a file at once: whoever reads it sees the old content or the new one, whatever happens.

    A link is followed and the file's rights are kept. What is there and is no regular file (a device, a named pipe, an
    open file of this process such as /dev/stdout) is written as it stands, never replaced. Raises InputError where it
    cannot be written, and BrokenPipeError where the reader of a pipe has gone.
    """
    try:
        if is_replaced(path):
            _replace(path.resolve(), data)
        else:
            _write_through(path, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def is_replaced(path: Path) -> bool:
    """Whether a new file takes the place of what a path names: a regular file, or nothing yet."""
    if _own_descriptor(path) is not None:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _replace(target: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        temporary.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)  # gone already, unless something went wrong


def _write_through(path: Path, data: bytes) -> None:
    descriptor = _own_descriptor(path)
    sys.stdout.flush()  # which may be the same
    # An open file goes on where it stands: opened by its name again, a file would be written from its beginning.
    with path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(data)


def _own_descriptor(path: Path) -> int | None:
    """The open file of this process that a path stands for, as /dev/stdout and /dev/fd/3 do; None for any other."""
    own = {Path("/dev/fd"), Path(f"/proc/{os.getpid()}/fd")}
    for _ in range(_MOST_LINKS):
        if Path(os.path.realpath(path.parent)) in own and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


_MOST_LINKS = 40  # as the operating system follows them


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
