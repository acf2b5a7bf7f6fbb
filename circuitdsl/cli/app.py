"""The application that commands are added to, and how it ends: wrong input, interrupts and closed pipes."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBADF, ENOSPC
from io import StringIO, TextIOBase, TextIOWrapper, UnsupportedOperation
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from circuitdsl import allocator
from circuitdsl.errors import InputError, interrupted
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.report import output
from circuitdsl.version import __version__
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from typing import TextIO

EXIT_INPUT = 2
EXIT_MISTAKE = 70  # EX_SOFTWARE of sysexits.h: the program itself is wrong
EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 130, 141  # as shells count Ctrl-C and a reader that has gone


_USAGE: Any = typer.BadParameter.__bases__  # of wrong usage of every kind: newer versions of typer do not export it


class _Commands(TyperGroup):
    """The commands; typer itself would end an interrupt without a word, and as if a claim failed, and print what was
    called as it stands."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        with _told_endings():  # its own help is printed here
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        # A shell without job control starts what stands before `&` with interrupts ignored, and Python leaves it so.
        # A check may take hours and a watch never ends: an interrupt that reaches them is meant for them.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with _told_endings():
                return super().invoke(ctx)
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _told_endings() -> Iterator[None]:
    try:
        yield
    except typer.Exit:
        raise
    except _USAGE as error:
        error.message = visible(error.message)  # which quotes the command line
        raise
    except (KeyboardInterrupt, Exception) as error:
        if not interrupted(error):
            raise
        print("interrupted", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None


app = typer.Typer(
    name="circuitdsl",
    cls=_Commands,
    help="Write down what a circuit inside a transformer does, and find out whether it is true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        output.put(f"circuitdsl {__version__}\n")
        raise typer.Exit


def main() -> None:
    """The console script. Wrong input ends with exit code 2 and a message."""
    # Threads that wait by spinning steal the cores from the threads that work: where cores are busy, torch is several
    # times slower with the default. To be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    allocator.set_up()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: no letter is worth a traceback
    _stand_in_for_what_is_closed()
    try:
        _run()
    except BrokenPipeError:
        _end_unread()
    except SystemExit as ended:
        # Rich, which prints help and wrong usage, and typer meet a closed pipe themselves, and end as if a claim
        # failed.
        if isinstance(ended.__context__, BrokenPipeError):
            _end_unread()
        raise


def _end_unread() -> NoReturn:
    """End where the reader of standard output or standard error (head, less) has gone: nobody is left to tell."""
    for stream in (sys.stdout, sys.stderr):
        output.give_up(stream)
    raise SystemExit(EXIT_PIPE_CLOSED) from None


def _run() -> None:
    """Carry out the command; whatever is wrong is told and becomes an exit code."""
    try:
        try:
            app(prog_name="circuitdsl")
        finally:
            if sys.stdout.writable():
                sys.stdout.flush()  # here, where it can be said that there was no room
    except BrokenPipeError:
        raise
    except InputError as error:
        tell(error)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if isinstance(error, OSError) and (error.errno in (EBADF, ENOSPC) or isinstance(error, UnsupportedOperation)):
            tell(output.unprintable(error))  # of a help text: all else is written by `output`
            raise SystemExit(EXIT_INPUT) from None
        _confess(error)
        raise SystemExit(EXIT_MISTAKE) from None


def _stand_in_for_what_is_closed() -> None:
    """Streams in place of those that whoever started us has closed, for which Python has None.

    What is for standard error must not come out elsewhere, as ``print`` would have it; and writing to standard output
    must fail, as it does where there is no room.
    """
    if sys.stderr is None:
        sys.stderr = StringIO()
    if sys.stdout is None:
        sys.stdout = TextIOBase()


def _confess(error: Exception) -> None:
    """Say that circuitdsl made a mistake, and where all is written down that is needed to find it."""
    lines = traceback.format_exception(error)
    called = f"circuitdsl {__version__}, Python {platform.python_version()}, {platform.platform()}"
    text = f"{called}\n{sys.argv}\n\n{''.join(lines)}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="circuitdsl-mistake-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError:  # no room: then it has to stand here
        name = "the text above"
        print(text, file=sys.stderr)
    tell(
        InputError(
            f"circuitdsl itself went wrong: {type(error).__name__}: {str(error)[:200]}",
            f"please report it, with {name} (the call, the versions and the traceback) and the files of the call",
        )
    )


def tell(error: InputError) -> None:
    """Say on standard error what is wrong, and what to do about it."""
    if isinstance(error, SpecError):
        print(error.render(color=coloured(sys.stderr)), file=sys.stderr)
    else:
        lines = [f"error: {error.message}", *([f"help: {error.remedy}"] if error.remedy else [])]
        print(*map(visible, lines), sep="\n", file=sys.stderr)


def coloured(stream: TextIO) -> bool:
    """Whether text on a stream may have colours."""
    return output.forced_colour() or (stream.isatty() and not os.environ.get("NO_COLOR"))
