"""The application that commands are added to, and how it ends: wrong input, interrupts and closed pipes."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from circuitdsl.errors import InputError
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.environment import UnknownName
from circuitdsl.report import output
from circuitdsl.version import __version__
from circuitdsl.visible import visible_lines

if TYPE_CHECKING:
    from typing import TextIO

EXIT_INPUT = 2
EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 130, 141  # as shells count Ctrl-C and a reader that has gone


class _Commands(TyperGroup):
    """The commands; typer itself would end an interrupt without a word, and a closed pipe as if a claim failed."""

    def invoke(self, ctx: Any) -> Any:
        # A shell without job control starts what stands before `&` with interrupts ignored, and Python leaves it so.
        # A check may take hours and a watch never ends: an interrupt that reaches them is meant for them.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, before)
            print("interrupted", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone: nobody is left to tell. Keep Python from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_PIPE_CLOSED) from None
        finally:
            signal.signal(signal.SIGINT, before)


app = typer.Typer(
    name="circuitdsl",
    cls=_Commands,
    help="Write down what a circuit inside a transformer does, and find out whether it is true.",
    no_args_is_help=True,
    add_completion=False,
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
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: no letter is worth a traceback
    try:
        app(prog_name="circuitdsl")
    except (InputError, UnknownName) as error:
        tell(error)
        raise SystemExit(EXIT_INPUT) from None


def tell(error: InputError | UnknownName) -> None:
    """Say on standard error what is wrong, and what to do about it."""
    if isinstance(error, SpecError):
        print(error.render(color=coloured(sys.stderr)), file=sys.stderr)
    else:
        lines = [f"error: {error.message}", *([f"help: {error.remedy}"] if error.remedy else [])]
        print(*map(visible_lines, lines), sep="\n", file=sys.stderr)


def coloured(stream: TextIO) -> bool:
    """Whether text on a stream may have colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR")
