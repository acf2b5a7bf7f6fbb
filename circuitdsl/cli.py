"""The command line: arguments in, one call of the API, a report out. Nothing here that the API cannot do."""

from __future__ import annotations

import difflib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from circuitdsl import api
from circuitdsl.errors import InputError
from circuitdsl.judge.outcome import EXIT_HOLDS, EXIT_INPUT
from circuitdsl.language.circuit import Circuit, Comparison, Document
from circuitdsl.language.comparisons import read_align
from circuitdsl.language.diagnostics import SpecError, codes, nearest, render_all
from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.language.format import format_source
from circuitdsl.language.resolve import Loaded, lint_files, load_with_warnings, resolve_text
from circuitdsl.library import find_spec
from circuitdsl.report import output
from circuitdsl.tasks import files_of
from circuitdsl.version import __version__

if TYPE_CHECKING:
    from rich.console import RenderableType

    from circuitdsl.judge.outcome import Report

EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 130, 141  # as shells count Ctrl-C and a reader that has gone


class _Commands(TyperGroup):
    """The commands; typer itself would end an interrupt without a word, and a closed pipe as if a claim failed."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone: nobody is left to tell. Keep Python from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_PIPE_CLOSED) from None


app = typer.Typer(
    name="circuitdsl",
    cls=_Commands,
    help="Write down what a circuit inside a transformer does, and find out whether it is true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The models that ship or can be added.", invoke_without_command=True)
tasks_app = typer.Typer(help="The tasks, and what their prompts look like.", invoke_without_command=True)
app.add_typer(models_app, name="models")
app.add_typer(tasks_app, name="tasks")


class ReportFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"


class EngineName(StrEnum):
    FAST = "fast"
    PLAIN = "plain"


class DtypeName(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class ScreenName(StrEnum):
    BF16 = "bf16"


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LintFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


Files = Annotated[list[str], typer.Argument(help="Spec files; those that ship are found by name (specs/mini/...).")]
OutputFile = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file, whole or not at all.")]
Device = Annotated[str | None, typer.Option(help="Where models run: cpu, cuda, cuda:1, mps. A GPU if there is one.")]
Revision = Annotated[str | None, typer.Option(help="A branch, tag or commit of a model of the Hugging Face hub.")]
Precision = Annotated[DtypeName, typer.Option("--dtype", help="The precision that the model runs in.")]
ModelName = Annotated[str | None, typer.Option("--model", "-m", help="Check on this model in place of the specs' own.")]


def main() -> None:
    """The console script. Wrong input ends with exit code 2 and a message."""
    # Threads that wait by spinning steal the cores from the threads that work: where cores are busy, torch is several
    # times slower with the default. To be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: no letter is worth a traceback
    try:
        app(prog_name="circuitdsl")
    except SpecError as error:
        _complain(error.render(color=_colour(sys.stderr)))
    except InputError as error:
        _complain(_message(error.message, error.remedy))
    except UnknownName as error:
        _complain(_message(error.message, error.remedy))


def _complain(text: str) -> None:
    print(text, file=sys.stderr)
    raise SystemExit(EXIT_INPUT)


def _message(message: str, remedy: str) -> str:
    return f"error: {message}\nhelp: {remedy}" if remedy else f"error: {message}"


def _colour(stream) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


# --- check -----------------------------------------------------------------------------------------


@app.command()
def check(
    files: Files,
    model: ModelName = None,
    prompts: Annotated[int | None, typer.Option(min=2, help="Measure on exactly this many prompts.")] = None,
    report_format: Annotated[ReportFormat, typer.Option("--format", "-f")] = ReportFormat.TEXT,
    output_file: OutputFile = None,
    unexplained: Annotated[bool, typer.Option(help="Look for heads that matter and are not listed.")] = True,
    cache: Annotated[bool, typer.Option(help="Keep results between calls.")] = True,
    cache_folder: Annotated[Path | None, typer.Option("--cache-folder", help="Where results are kept.")] = None,
    engine: Annotated[EngineName, typer.Option(help="plain: one hooked pass an experiment.")] = EngineName.FAST,
    memory: Annotated[str | None, typer.Option(help="What stacked runs may take: 4GB, 500MB.")] = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = DtypeName.FLOAT32,
    screen: Annotated[
        ScreenName | None, typer.Option(help="Sort out unlisted heads far under the floor in this precision.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever a file is saved.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every head's claim and figure.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what does not hold, and the count.")] = False,
) -> None:
    """Judge every claim of spec files. Exit: 0 all hold, 1 one fails, 3 one is undecided, 4 one cannot be run."""
    stacks = _bytes(memory) if memory is not None else 0
    paths = _paths(files)
    watched = _Watched()
    document = watched.load(paths, model, revision)
    if output_file is not None:
        output.need_writable(output_file)  # not after an hour of experiments
    from circuitdsl.checking import Workbench
    from circuitdsl.engine.store import Store, default_folder
    from circuitdsl.models import Opening

    store = Store.in_folder(cache_folder or default_folder()) if cache else None
    opening = Opening(device, revision, dtype.value)
    bench = Workbench(model, store, engine, stacks, opening, screen.value if screen else "")

    def judged(document: Document) -> Report:
        document = api.with_prompts(document, prompts) if prompts else document
        with _progress() as progress:
            return bench.check(document, unexplained, progress)

    def out(report: Report) -> None:
        _put_report(report, report_format, output_file, verbose, quiet)

    report = judged(document)
    out(report)
    if watch:
        _watch(watched, lambda: out(judged(watched.load(paths, model, revision))))
    raise typer.Exit(report.exit_code)


def _put_report(report: Report, wanted: ReportFormat, file: Path | None, verbose: bool, quiet: bool) -> None:
    from circuitdsl.report import json, junit, sarif, terminal

    match wanted:
        case ReportFormat.TEXT:
            output.show(terminal.render_summary(report) if quiet else terminal.render(report, verbose), file)
        case ReportFormat.JSON:
            output.put(json.to_json(report.to_dict()), file)
        case ReportFormat.JUNIT:
            output.put(junit.to_junit(report), file)
        case ReportFormat.SARIF:
            output.put(sarif.report_to_sarif(report), file)


def _bytes(written: str) -> int:
    """``4GB`` as a number of bytes, at least one. Raises InputError."""
    read = re.fullmatch(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[KMGT]B)", written, re.IGNORECASE)
    amount = int(Decimal(read["number"]) * _UNITS[read["unit"].upper()]) if read else 0
    if amount < 1:
        raise InputError(f"--memory {written} is not an amount of memory", "write it as 4GB or 500MB")
    return amount


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Watched:
    """Files that were read and when each was last saved, 0 for one that is not there."""

    def __init__(self) -> None:
        self._saved: dict[Path, int] = {}

    def load(self, paths: Sequence[str], model: str | None, revision: str | None) -> Document:
        """A document with something to check in it, all of whose files are watched. Raises as ``_load_blocks``."""
        self._add(paths)  # before they are read: what is saved from now on is a change
        try:
            loaded = _load_blocks(paths, model, revision)
        except SpecError as error:
            self._add(error.sources)
            raise
        circuits = (*loaded.document.circuits, *loaded.document.used)
        self._add([*loaded.sources, *(file for circuit in circuits for file in files_of(circuit.task))])
        return loaded.document

    def changed(self) -> bool:
        """Whether any of the files was saved since it was read, or since this was asked."""
        now = {path: _last_saved(path) for path in self._saved}
        before, self._saved = self._saved, now
        return now != before

    def _add(self, files: Iterable[str | Path]) -> None:
        for path in map(Path, files):
            self._saved.setdefault(path, _last_saved(path))


def _last_saved(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _watch(watched: _Watched, again: Callable[[], None]) -> None:
    """Call ``again`` whenever a file is saved, until interrupted. A wrong spec is reported, no more."""
    print("watching; Ctrl-C ends it", file=sys.stderr)
    while True:
        time.sleep(0.1)
        if not watched.changed():
            continue
        try:
            again()
        except SpecError as error:
            print(error.render(color=_colour(sys.stderr)), file=sys.stderr)
        except InputError as error:
            print(_message(error.message, error.remedy), file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error while it is a terminal; silence otherwise."""
    if not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("opening the model", total=None)
        yield lambda done, total, what: bar.update(
            shown, completed=done, total=total, description=f"{what}: prompts through the model"
        )


# --- plan, lint, fmt -------------------------------------------------------------------------------


@app.command()
def plan(
    files: Files,
    model: ModelName = None,
    plan_format: Annotated[PlanFormat, typer.Option("--format", "-f")] = PlanFormat.TEXT,
    output_file: OutputFile = None,
    unexplained: Annotated[bool, typer.Option(help="Count the search for heads that are not listed.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Job by job.")] = False,
    revision: Revision = None,
    offline: Annotated[bool, typer.Option("--offline", help="Always on; for scripts.", show_default=False)] = True,
) -> None:
    """Print the experiments that checking needs and their cost, and run none."""
    from circuitdsl.report import json
    from circuitdsl.report.plans import render_plan

    document = _load_blocks(_paths(files), model, revision).document
    _require_shapes((*document.circuits, *document.used), model, revision)
    made = api.plan(document, unexplained)
    if plan_format is PlanFormat.JSON:
        output.put(json.to_json(made.to_dict()), output_file)
    else:
        output.show(render_plan(made, verbose), output_file)


@app.command()
def lint(
    files: Files,
    model: ModelName = None,
    lint_format: Annotated[LintFormat, typer.Option("--format", "-f")] = LintFormat.TEXT,
    output_file: OutputFile = None,
    revision: Revision = None,
) -> None:
    """Read and resolve spec files, and report all that is wrong in them. Runs no model."""
    from circuitdsl.report import json, sarif

    try:
        loaded = lint_files(_paths(files), api.environment(model, revision))
        _require_shapes((*loaded.document.circuits, *loaded.document.used), model, revision)
        found, sources = loaded.warnings, loaded.sources
    except SpecError as error:
        found, sources = error.diagnostics, error.sources
    match lint_format:
        case LintFormat.TEXT:
            text = render_all(found, sources, color=_colour(sys.stdout) and output_file is None)
            output.put(f"{text or 'nothing is wrong'}\n", output_file)
        case LintFormat.JSON:
            output.put(json.to_json([diagnostic.to_dict() for diagnostic in found]), output_file)
        case LintFormat.SARIF:
            output.put(sarif.diagnostics_to_sarif(found, codes()), output_file)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(EXIT_INPUT)


@app.command()
def fmt(
    files: Annotated[list[str], typer.Argument(help="Spec files to format in place; - for standard input.")],
    check_only: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if a file would change.")] = False,
    show_diff: Annotated[bool, typer.Option("--diff", help="Change nothing; print what would change.")] = False,
) -> None:
    """Format spec files. Comments are kept; formatting twice changes nothing more."""
    changed = False
    for name in files:
        before = sys.stdin.read() if name == "-" else _read(name)
        after = format_source(before, name)
        changed |= after != before
        if show_diff:
            lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, f"{name} (formatted)")
            output.put("".join(lines))
        elif check_only and after != before:
            output.put(f"{name} would be formatted\n")
        elif name == "-":
            output.put(after)
        elif not check_only and after != before:
            output.write_file(Path(name), after)
            output.put(f"{name} formatted\n")
    raise typer.Exit(1 if changed and (check_only or show_diff) else EXIT_HOLDS)


def _read(name: str) -> str:
    try:
        return Path(name).read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}", "name a file that exists and may be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8: byte {error.start}", "save it as UTF-8") from error


# --- show and diff ---------------------------------------------------------------------------------

Svg = Annotated[Path | None, typer.Option("--svg", help="Write a picture to this file.")]


@app.command()
def show(
    spec: Annotated[str, typer.Argument(help="A spec file, or file:circuit where it holds several.")],
    model: ModelName = None,
    svg: Svg = None,
    revision: Revision = None,
) -> None:
    """Draw a circuit: layers from the embedding to the logits, roles, and the edges between them."""
    circuit = _one_circuit(spec, model, revision)
    _require_shapes([circuit], model, revision)
    if svg is not None:
        from circuitdsl.report.svg import circuit_svg

        output.write_file(svg, circuit_svg(circuit))
        return
    from circuitdsl.report.draw import draw_circuit

    output.show(draw_circuit(circuit))


@app.command()
def diff(
    left: Annotated[str, typer.Argument(help="A spec file, or file:circuit; alone, a file with a compare block.")],
    right: Annotated[str | None, typer.Argument(help="Another; not with a compare block.", show_default=False)] = None,
    align: Annotated[
        list[str] | None, typer.Option(help='Roles that are counterparts: "name_mover ~ mover, a ~ b".')
    ] = None,
    diff_format: Annotated[PlanFormat, typer.Option("--format", "-f")] = PlanFormat.TEXT,
    output_file: OutputFile = None,
    svg: Svg = None,
    function: Annotated[bool, typer.Option("--function", help="Run the model: shared work, overlap curves.")] = False,
    curve: Annotated[Path | None, typer.Option(help="Write the overlap curves as a picture; runs the model.")] = None,
    quoted: Annotated[str, typer.Option(help="With --function: say where this overlap would arise: 78%.")] = "",
    prompts: Annotated[int | None, typer.Option(min=2, help="With --function: on this many prompts.")] = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = DtypeName.FLOAT32,
) -> None:
    """Say how much two circuits share: heads, nodes, roles and edges, against what chance would give.

    Roles are counterparts as --align or the compare block says, else by name,
    else by the most shared heads. Of two descriptions of one task also what they
    say differently. With --function also what each circuit does for the other's
    task, and the overlap at every threshold.
    """
    share = _share(quoted)
    ours, theirs, pairs, block = _two_circuits(left, right, align or (), revision)
    structure = api.compare(ours, theirs, pairs)
    measured = function or curve is not None or share is not None
    if not measured:
        _require_shapes((ours, theirs), None, revision)
    if svg is not None:
        from circuitdsl.report.comparison_svg import comparison_svg

        output.write_file(svg, comparison_svg(ours, theirs, structure))
        if not measured:
            return
    for file in filter(None, (output_file, curve)):
        output.need_writable(file)
    became = api.changes(ours, theirs) if ours.name == theirs.name or _one_task(ours, theirs) else None
    opened = {"device": device, "revision": revision, "dtype": dtype.value}
    asked = {"align": pairs, "prompts": prompts, "quoted": share, **opened}
    found = _in_function(ours, theirs, curve, asked) if measured else structure.to_dict()
    if diff_format is PlanFormat.JSON:
        from circuitdsl.compare.cites import cited
        from circuitdsl.report.json import to_json

        said = {"about": block.about if block else "", "sources": [s.to_dict() for s in cited(ours, theirs, block)]}
        listed = {} if became is None else {"changes": [change.to_dict() for change in became]}
        output.put(to_json({**found, "claims": [], **said, **listed}), output_file)
        return
    from rich.console import Group

    from circuitdsl.report.comparison import draw_comparison
    from circuitdsl.report.curve import reuse_summary

    page = draw_comparison(ours, theirs, structure, _width(), became, block)
    output.show(Group(page, reuse_summary(found)), output_file)


def _share(written: str) -> float | None:
    """``78%`` as a fraction, None for nothing written. Raises InputError."""
    if not written:
        return None
    number = written.removesuffix("%").strip()
    if not (written.endswith("%") and number.isascii() and number.replace(".", "", 1).isdecimal()):
        raise InputError(f"--quoted {written} is not a share", "write it in per cent: 78%")
    if float(number) > 100:
        raise InputError(f"--quoted {written} is more than everything", "an overlap is at most 100%")
    return float(number) / 100


def _two_circuits(
    left: str, right: str | None, align: Sequence[str], revision: str | None
) -> tuple[Circuit, Circuit, tuple[tuple[str, str], ...], Comparison | None]:
    """The circuits to compare and their roles that are counterparts: of two files, or of one file's compare block.

    Roles given as ``align`` take the place of a compare block's. Last comes the block, None if there is none. Raises
    InputError.
    """
    if right is not None:
        ours, theirs = _one_circuit(left, None, revision), _one_circuit(right, None, revision)
        return ours, theirs, read_align(align, ours, theirs, "--align"), None
    path, name = _file_and_name(left)
    document = _load(_paths([path]), None, revision).document
    comparison = _one_comparison(path, name, document.comparisons)
    ours, theirs = document.circuit(comparison.left), document.circuit(comparison.right)
    return ours, theirs, read_align(align, ours, theirs, "--align") or comparison.align, comparison


def _one_comparison(path: str, name: str, comparisons: Sequence[Comparison]) -> Comparison:
    known = {f"{comparison.left}~{comparison.right}": comparison for comparison in comparisons}
    named = [comparison for key, comparison in known.items() if not name or key == name]
    if len(named) == 1:
        return named[0]
    if not known:
        raise InputError(
            f"{path} holds no compare block, and no other circuit is given",
            "name two circuits, or a file with a compare block",
        )
    problem = f"{path} compares no {name}" if name else f"{path} holds {len(known)} compare blocks, and one is needed"
    raise InputError(problem, f"write {path}:LEFT~RIGHT; compared there: {', '.join(known)}")


def _one_task(left: Circuit, right: Circuit) -> bool:
    return (left.model, left.task) == (right.model, right.task)


def _in_function(left: Circuit, right: Circuit, picture: Path | None, asked: Mapping[str, Any]) -> Mapping[str, object]:
    """Two circuits compared on their model as asked; their curves go to a file if one is wanted."""
    from circuitdsl.engine.store import Store, default_folder
    from circuitdsl.report.curve import curves_svg

    store = Store.in_folder(default_folder())
    reuse = api.compare_function(left, right, store=store, **asked)
    if picture is not None:
        if not reuse.curves:
            raise InputError("there is no curve to draw", "; ".join(reuse.notes))
        output.write_file(picture, curves_svg([curve.to_dict() for curve in reuse.curves]))
    return reuse.to_dict()


def _width() -> int:
    from rich.console import Console

    return Console().width if sys.stdout.isatty() else output.plain_width()


def _one_circuit(spec: str, model: str | None, revision: str | None = None) -> Circuit:
    """The circuit of ``file`` or ``file:circuit``. Raises InputError if it is not exactly one."""
    path, name = _file_and_name(spec)
    circuits = _load(_paths([path]), model, revision).document.circuits
    named = [circuit for circuit in circuits if not name or circuit.name == name]
    if len(named) == 1:
        return named[0]
    known = ", ".join(circuit.name for circuit in circuits) or "none"
    problem = f"{path} holds no circuit {name}" if name else f"{path} holds {len(circuits)} circuits, and one is needed"
    raise InputError(problem, f"write {path}:NAME; circuits there: {known}")


def _file_and_name(spec: str) -> tuple[str, str]:
    """``file:name`` as its two parts; no name where it is a file, colon and all."""
    path, colon, name = spec.rpartition(":")
    return (path, name) if colon and not Path(spec).exists() else (spec, "")


# --- explain, models, tasks ------------------------------------------------------------------------


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A measurement, a diagnostic's code, a task, a model or a setting.")] = "",
) -> None:
    """Say what a name means; without one, list the names that have an explanation."""
    from circuitdsl import models, tasks
    from circuitdsl.report.explain import overview_text

    if name:
        output.put(_explanation(name))
    else:
        names = (model for model, _ in models.model_names())
        output.put(overview_text(api.measure_infos(), tasks.task_names(), names))


def _explanation(name: str) -> str:
    from circuitdsl import models, tasks
    from circuitdsl.models.geometry import known_names
    from circuitdsl.report import explain as texts

    measures = api.measure_infos()
    about_models = dict.fromkeys(known_names(), "") | dict(models.model_names())
    if name in measures:
        return texts.measure_text(measures[name])
    if name.upper() in codes():
        return texts.plain_text(name.upper(), codes()[name.upper()])
    if name in texts.SETTINGS:
        return texts.plain_text(f"method setting {name}", texts.SETTINGS[name])
    if name == "file":
        return texts.plain_text('task file("my.jsonl")', texts.OWN_PROMPTS)
    if name in tasks.task_names():
        return texts.task_text(tasks.describe(TaskRef(name)))
    if name in about_models:
        return texts.model_text(name, about_models[name], models.geometry_of(name))
    near = nearest(name, [*measures, *codes(), *texts.SETTINGS, *tasks.task_names(), *about_models])
    remedy = "`circuitdsl explain` lists what has an explanation"
    raise InputError(f"nothing is called {name}", f"did you mean {near}? {remedy}" if near else remedy)


@models_app.callback()
def models_list(context: typer.Context) -> None:
    """List the models that ship or can be added."""
    if context.invoked_subcommand is None:
        from circuitdsl.models import model_names

        output.show(_two_columns(model_names()))
        output.put(
            '\nA folder in Hugging Face\'s format and any name of its hub may stand there too: model "folder".\n'
        )


@models_app.command("add")
def models_add(name: Annotated[str, typer.Argument(help="smollm2-135m")]) -> None:
    """Obtain a model that is too large to ship, once, and keep it in the user's cache."""
    from circuitdsl.models.adding import add_model

    folder = add_model(name, lambda step: print(step, file=sys.stderr))
    output.put(f"{name} is in {folder}\n")


@tasks_app.callback()
def tasks_list(context: typer.Context) -> None:
    """List the tasks."""
    if context.invoked_subcommand is None:
        from circuitdsl import tasks

        known = [(name, tasks.describe(TaskRef(name)).about) for name in tasks.task_names() if name != "file"]
        output.show(_two_columns([*known, ('file("my.jsonl")', "your own prompts, one JSON object a line")]))


@tasks_app.command("show")
def tasks_show(
    task: Annotated[str, typer.Argument(help='A task as a spec names it: ioi, "colored_objects(shots: 0)".')],
    model: Annotated[str, typer.Option("--model", "-m", help="Whose tokenizer reads the prompts.")] = "mini",
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many prompts.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the prompts.")] = 0,
    bos: Annotated[bool, typer.Option(help="Begin with the BOS token.")] = False,
    revision: Revision = None,
) -> None:
    """Show prompts of a task as a model reads them, token by token, with the positions marked."""
    from circuitdsl.models import Opening, open_model
    from circuitdsl.report.prompts import render_prompts
    from circuitdsl.tasks import open_task

    # A task is read as a spec reads it, so that it has the same spelling and the same errors here.
    written = f"circuit shown {{\n  model {model}\n  task  {task}\n}}\n"
    reference = resolve_text(written, "command line", api.environment(model, revision)).circuits[0].task
    tokenizer = open_model(model, opening=Opening("cpu", revision)).tokenizer
    output.show(render_prompts(open_task(reference).draw(tokenizer, count, seed, bos), tokenizer))


def _two_columns(rows: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table


# --- common ----------------------------------------------------------------------------------------


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        output.put(f"circuitdsl {__version__}\n")
        raise typer.Exit


def _paths(files: Sequence[str]) -> list[str]:
    return [find_spec(name) for name in files]


def _load_blocks(paths: Sequence[str], model: str | None, revision: str | None = None) -> Loaded:
    """A document with something to check in it. Raises SpecError, and InputError if nothing would be checked."""
    loaded = _load(paths, model, revision)
    document = loaded.document
    if not (document.circuits or document.comparisons or document.interventions):
        raise InputError(
            f"nothing to check in {', '.join(paths)}",
            "write a circuit, compare or intervention block; what is only named by `use` is not checked",
        )
    return loaded


def _require_shapes(circuits: Iterable[Circuit], model: str | None, revision: str | None) -> None:
    """Refuse a revision by whose shape circuits cannot have been resolved. Raises InputError."""
    from circuitdsl.models import require_downloaded

    if revision is not None:
        for name in dict.fromkeys(model or circuit.model for circuit in circuits):
            require_downloaded(name, revision)


def _load(paths: Sequence[str], model: str | None, revision: str | None = None) -> Loaded:
    """The document of some files; warnings go to standard error. Raises SpecError."""
    loaded = load_with_warnings(paths, api.environment(model, revision))
    if loaded.warnings:
        print(render_all(loaded.warnings, loaded.sources, color=_colour(sys.stderr)), file=sys.stderr)
    return loaded
