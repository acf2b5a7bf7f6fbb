"""``circuitdsl check``, once or whenever a file is saved."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import circuitdsl as cd
from circuitdsl.check.interrupted import Interrupted
from circuitdsl.cli.app import EXIT_INTERRUPTED, app, tell
from circuitdsl.cli.options import (
    Cache,
    CacheFolder,
    Checking,
    Device,
    Engine,
    Executor,
    Files,
    Html,
    Memory,
    ModelName,
    OutputFile,
    Precision,
    ReportFormat,
    Revision,
    ScreenName,
    amount,
    load_blocks,
    need_pages,
    put_page,
    results_store,
    warn,
)
from circuitdsl.cli.panel import check_models, models_of, need_panel_form, rendered
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.errors import InputError
from circuitdsl.report import output

if TYPE_CHECKING:
    from circuitdsl.outcome import Panel, Report
    from circuitdsl.outcome.drift import Recorded


@app.command()
def check(
    files: Files,
    model: ModelName = None,
    prompts: Annotated[int | None, typer.Option(min=2, help="Measure on exactly this many prompts.")] = None,
    report_format: ReportFormat = "text",
    output_file: OutputFile = None,
    html: Html = None,
    unexplained: Annotated[bool, typer.Option(help="Look for heads that matter and are not listed.")] = True,
    cache: Cache = True,
    cache_folder: CacheFolder = None,
    engine: Engine = "fast",
    memory: Memory = None,
    executor: Executor = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    screen: Annotated[
        ScreenName | None, typer.Option(help="Exclude unlisted heads far under the floor in this precision.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="An earlier report, as JSON: say on standard error what changed since.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="A file of names, folders and name@revision, one a line: check on all of them."),
    ] = None,
    revisions: Annotated[
        str | None, typer.Option(help="With --model: check on all of these, as step1000,step3000.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever a file is saved.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every claim, head and figure.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The verdict, and what does not hold.")] = False,
) -> None:
    """Judge every claim of spec files. Exit: 0 all hold, 1 one fails, 3 one is undecided, 4 one cannot be run.

    A report for programs in a file (-f json -o report.json) leaves the text on
    standard output, and in full in a log beside the file (report.json.log).
    With --against the same of what changed, with --models or --revisions claims by
    models: docs/drift.md.
    """
    if watch and against is not None:
        raise InputError("--watch and --against do not go together", "check once, against the earlier report")
    many = models_of(models, model, revisions)
    if many:
        if watch or against is not None or revision is not None:
            problem = "--watch, --against and --revision are of one model"
            raise InputError(problem, "leave them out, or check one model")
        need_panel_form(report_format)
    before = None if against is None else _earlier(against)
    stacks = amount(memory)
    document = None if watch or many else load_blocks(files, model, revision)
    outputs = _Outputs(report_format, output_file, html, verbose, quiet)
    outputs.need()
    bar = ProgressBar()
    checking: Checking = {
        "model": model,
        "prompts": prompts,
        "unexplained": unexplained,
        "progress": bar,
        "store": results_store(cache, cache_folder),
        "engine": engine,
        "device": device,
        "revision": revision,
        "dtype": dtype,
        "screen": screen or "",
        "memory": stacks,
        "examples": html is not None,
        "executor": executor,
    }

    if watch:
        _watch(files, checking, bar, outputs)
    else:
        try:
            with bar:
                report = check_models(files, many, checking) if document is None else cd.check(document, **checking)
        except Interrupted as stopped:
            if report_format == "text" and output_file is None:  # programs would take it for the whole
                outputs.put(stopped.report)
            kept = "; what was measured is kept, and another check goes on from there" if cache else ""
            print(f"interrupted{kept}", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        outputs.put(report)
        from circuitdsl.outcome import Panel

        if before is None or isinstance(report, Panel):
            raise typer.Exit(report.exit_code)
        raise typer.Exit(_changed(before, report))


@dataclass(frozen=True)
class _Outputs:
    """Where reports go, and how: in one form to a file or to standard output, and as a page; a form for programs in a
    file leaves the text on standard output, and in full in a log beside the file."""

    form: str
    file: Path | None
    html: Path | None
    verbose: bool
    quiet: bool

    @cached_property
    def log(self) -> Path | None:
        """report.json.log beside report.json.

        None where nothing is written to a regular file (/dev/stdout, a pipe): its reader wants the report alone.
        """
        if self.form == "text" or self.file is None or not output.is_replaced(self.file):
            return None
        return self.file.with_name(f"{self.file.name}.log")

    def need(self) -> None:
        """Raise InputError where something could not be written: before anything is run, and not after it."""
        from circuitdsl.report.formats import formats

        _ = formats()[self.form]  # what another package adds is loaded now
        output.need_room(self.file)
        if self.log is not None:
            output.need_writable(self.log)
        need_pages(self.html)

    def put(self, report: Report | Panel) -> None:
        """Write a report to all of them."""
        shown = output.view_of(self.file, self.verbose, self.quiet)
        output.put(_rendered(report, self.form, shown), self.file)
        if self.log is not None:
            output.write_file(self.log, _rendered(report, "text", output.view_of(self.log, verbose=True)))
            output.put(_rendered(report, "text", output.view_of(None, self.verbose, self.quiet)))
        put_page(report, self.html)


def _rendered(report: Report | Panel, form: str, view: output.View) -> str:
    from circuitdsl.outcome import Panel
    from circuitdsl.report.formats import formats

    return rendered(report, form, view) if isinstance(report, Panel) else formats()[form].render(report, view)


def _earlier(path: str) -> Recorded:
    from circuitdsl.report.data.recorded import read_report

    return read_report(path)


def _changed(before: Recorded, report: Report) -> int:
    """Say what changed; the exit code of the report's verdicts and of that."""
    from circuitdsl.outcome import exit_code

    drift = cd.drift(before, report)
    print(cd.show(drift), end="", file=sys.stderr)
    return exit_code(each.verdict for each in (*report.outcomes, *drift.claims))


def _watch(files: list[str], checking: Checking, bar: ProgressBar, outputs: _Outputs) -> None:
    """Show a report, and another whenever a file is saved, until interrupted. Wrong input is told, no more."""
    with bar:
        for number, found in enumerate(cd.watch(*files, warned=warn, **checking)):
            bar.stop()
            if isinstance(found, InputError):
                tell(found)
            else:
                outputs.put(found)
            if number == 0:
                print("watching; Ctrl-C ends it", file=sys.stderr)
