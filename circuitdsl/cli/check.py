"""``circuitdsl check``, once or whenever a file is saved."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import circuitdsl as cd
from circuitdsl.check.interrupted import Interrupted
from circuitdsl.cli.app import EXIT_INTERRUPTED, app, tell
from circuitdsl.cli.options import (
    Device,
    EngineName,
    Files,
    ModelName,
    OutputFile,
    Precision,
    ReportFormat,
    Revision,
    ScreenName,
    load_blocks,
    warn,
)
from circuitdsl.errors import InputError
from circuitdsl.report import output
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress

    from circuitdsl.outcome import Report


@app.command()
def check(
    files: Files,
    model: ModelName = None,
    prompts: Annotated[int | None, typer.Option(min=2, help="Measure on exactly this many prompts.")] = None,
    report_format: ReportFormat = "text",
    output_file: OutputFile = None,
    unexplained: Annotated[bool, typer.Option(help="Look for heads that matter and are not listed.")] = True,
    cache: Annotated[bool, typer.Option(help="Keep results between calls.")] = True,
    cache_folder: Annotated[Path | None, typer.Option("--cache-folder", help="Where results are kept.")] = None,
    engine: Annotated[EngineName, typer.Option(help="plain: one hooked pass an experiment.")] = "fast",
    memory: Annotated[str | None, typer.Option(help="What stacked runs may take: 4GB, 500MB.")] = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    screen: Annotated[
        ScreenName | None, typer.Option(help="Sort out unlisted heads far under the floor in this precision.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever a file is saved.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every head's claim and figure.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what does not hold, and the count.")] = False,
) -> None:
    """Judge every claim of spec files. Exit: 0 all hold, 1 one fails, 3 one is undecided, 4 one cannot be run."""
    stacks = _bytes(memory) if memory is not None else 0
    document = None if watch else load_blocks(files, model, revision)
    if output_file is None:  # not after an hour of experiments
        output.need_stdout()
    else:
        output.need_writable(output_file)
    from circuitdsl.report.formats import formats

    bar = _Bar()
    checking: cd.api.Checking = {
        "model": model,
        "prompts": prompts,
        "unexplained": unexplained,
        "progress": bar,
        "store": cd.Store.in_folder(cache_folder) if cache else None,
        "engine": engine,
        "device": device,
        "revision": revision,
        "dtype": dtype,
        "screen": screen or "",
        "memory": stacks,
    }

    def out(report: Report) -> None:
        view = output.view_of(output_file, verbose, quiet)
        output.put(formats()[report_format].render(report, view), output_file)

    if document is None:
        _watch(files, checking, bar, out)
    else:
        try:
            with bar:
                report = cd.check(document, **checking)
        except Interrupted as stopped:
            if report_format == "text" and output_file is None:  # programs would take it for the whole
                out(stopped.report)
            kept = "; what was measured is kept, and another check goes on from there" if cache else ""
            print(f"interrupted{kept}", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        out(report)
        raise typer.Exit(report.exit_code)


def _watch(files: list[str], checking: cd.api.Checking, bar: _Bar, out: Callable[[Report], None]) -> None:
    """Show a report, and another whenever a file is saved, until interrupted. Wrong input is told, no more."""
    with bar:
        for number, found in enumerate(cd.watch(*files, warned=warn, **checking)):
            bar.stop()
            if isinstance(found, InputError):
                tell(found)
            else:
                out(found)
            if number == 0:
                print("watching; Ctrl-C ends it", file=sys.stderr)


def _bytes(written: str) -> int:
    """``4GB`` as a number of bytes, at least one. Raises InputError."""
    read = re.fullmatch(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[KMGT]B)", written, re.IGNORECASE)
    amount = int(Decimal(read["number"]) * _UNITS[read["unit"].upper()]) if read else 0
    if amount < 1:
        raise InputError(f"--memory {written} is not an amount of memory", "write it as 4GB or 500MB")
    return amount


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Bar:
    """Progress as a bar on standard error while it is a terminal; silence otherwise."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> None:
        self._start()

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        bar = self._start()
        if bar is not None:
            what = f"{visible(what)}: prompts through the model"
            bar.update(bar.task_ids[0], completed=done, total=total, description=what)

    def _start(self) -> Progress | None:
        if self._bar is None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("opening the model", total=None)
            self._bar.start()
        return self._bar

    def stop(self) -> None:
        """Take the bar away; the next progress brings it back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
