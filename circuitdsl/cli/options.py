"""The options that commands share, and what a name on the command line stands for."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

import circuitdsl as cd
from circuitdsl.check.screens import SCREENS
from circuitdsl.cli.app import coloured
from circuitdsl.cli.completion import complete_model
from circuitdsl.errors import InputError
from circuitdsl.library import find_spec
from circuitdsl.plugins import installed
from circuitdsl.report import output

if TYPE_CHECKING:
    from circuitdsl.check.progress import Progress
    from circuitdsl.language.circuit import Circuit, Document
    from circuitdsl.models import Dtype
    from circuitdsl.outcome import (
        Atlas,
        AttributionReport,
        CircuitDiff,
        DraftReport,
        Drift,
        RefinementReport,
        SweepReport,
    )
    from circuitdsl.plan.plan import Plan
    from circuitdsl.report.html.page import Paged

    Shown = Atlas | AttributionReport | CircuitDiff | DraftReport | Drift | Plan | RefinementReport | SweepReport

Files = Annotated[list[str], typer.Argument(help="Spec files; those that ship are found by name (specs/mini/...).")]


def _or_standard_output(file: Path | None) -> Path | None:
    """A file to write to; ``-`` is standard output, where a command writes by itself."""
    return None if file == _STANDARD else file


def a_file(file: Path | None) -> Path | None:
    """A file to write something to beside what goes to standard output. Raises InputError for ``-``."""
    if file == _STANDARD:
        raise InputError("- is no file: standard output has what the command says", "name a file, or /dev/stdout")
    return file


_STANDARD = Path("-")

OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file; - is standard output.", callback=_or_standard_output),
]
Device = Annotated[str | None, typer.Option(help="Where models run: cpu, cuda, cuda:1, mps. A GPU if there is one.")]
Revision = Annotated[str | None, typer.Option(help="A branch, tag or commit of a model of the Hugging Face hub.")]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Check on this model in place of the specs' own.", autocompletion=complete_model
    ),
]
Cache = Annotated[bool, typer.Option(help="Keep results between calls.")]
CacheFolder = Annotated[Path | None, typer.Option("--cache-folder", help="Where results are kept.")]
Memory = Annotated[str | None, typer.Option(help="What stacked runs may take: 4GB, 500MB.")]
Executor = Annotated[
    str | None, typer.Option(help="Run on a Ray cluster: ray for that of RAY_ADDRESS or a new one, or ray://HOST:PORT.")
]
Html = Annotated[
    Path | None, typer.Option(help="Write a page to this file, to be opened in a browser.", callback=a_file)
]
Svg = Annotated[Path | None, typer.Option("--svg", help="Write a picture to this file.", callback=a_file)]
TextOrJson = Annotated[Literal["text", "json"], typer.Option("--format", "-f")]


class Checking(TypedDict, total=False):
    """The arguments of ``cd.check`` and ``cd.watch`` that options give."""

    model: str | Path | None
    prompts: int | None
    unexplained: bool
    progress: Progress | None
    store: cd.Store | bool
    engine: str
    device: str | None
    revision: str | None
    dtype: Dtype | None
    screen: str
    memory: int
    examples: bool
    executor: str | None


def choices(name: str, names: Iterable[str], first: str = "") -> object:
    """Names of a registry as an enum, of which typer makes a choice; ``first`` is listed first."""
    ordered = sorted(names, key=lambda each: each != first)
    return StrEnum(name, [(each.upper(), each) for each in ordered])


# Names are looked up here and their entry points are not loaded: help stays light.
if TYPE_CHECKING:
    FormatName = EngineName = ScreenName = str
else:
    FormatName = choices("FormatName", installed("formats"), "text")
    EngineName = choices("EngineName", installed("engines"), "fast")
    ScreenName = choices("ScreenName", SCREENS)

Engine = Annotated[EngineName, typer.Option(help="plain: one hooked pass an experiment.")]
ReportFormat = Annotated[FormatName, typer.Option("--format", "-f")]
Precision = Annotated[
    Literal["float32", "bfloat16"], typer.Option("--dtype", help="The precision that the model runs in.")
]


# --- the settings of a method ------------------------------------------------------------------------


def _setting(about: str) -> Any:
    return typer.Option(help=about, rich_help_panel="Settings, as in a method block")


SETTINGS: Mapping[str, tuple[Any, object]] = {
    "metric": (Annotated[str | None, _setting("logit_diff, probability, accuracy, hit(10), ...")], None),
    "against": (Annotated[str | None, _setting("The counterfactual that patches come from.")], None),
    "ablate": (Annotated[str | None, _setting('Of knockouts: zero, mean, "mean by template", resample, ...')], None),
    "reference": (Annotated[int | None, _setting("How many prompts a mean is taken over.")], None),
    "prompts": (Annotated[int | None, _setting("How many prompts are measured; of a draft, in either half.")], None),
    "floor": (Annotated[str | None, _setting("What counts as no change: 1%.")], None),
    "confidence": (Annotated[str | None, _setting("Of intervals; in a sweep, of all together: 95%.")], None),
    "seed": (Annotated[int | None, _setting("Of the prompts, in a draft of those it is judged on; of draws.")], None),
    "bos": (Annotated[bool, _setting("Prompts begin with the BOS token.")], False),
    "processing": (Annotated[str | None, _setting("none, or fold: norms folded into the weights.")], None),
}
"""The options that set a method where no specification does: of each its type with its help, and its default."""


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each of ``SETTINGS`` that it has none of its own for; those that are given it takes
    together, as ``settings``."""
    own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.name != "settings"]
    names = {each.name for each in own}
    shared = {name: setting for name, setting in SETTINGS.items() if name not in names}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in shared.items()
    ]

    @functools.wraps(command)
    def with_options(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in shared}
        settings = {name: value for name, value in given.items() if value is not None and value is not False}
        command(**arguments, settings={name: "yes" if value is True else value for name, value in settings.items()})

    all_of_them = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + added
    with_options.__signature__ = inspect.Signature(all_of_them)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in all_of_them}
    return with_options


# --- what comes in, and what goes out ----------------------------------------------------------------


def warn(findings: cd.api.Findings) -> None:
    """Say on standard error what is suspicious in specifications."""
    print(findings.render(color=coloured(sys.stderr)), file=sys.stderr)


def put(found: Shown, form: str, output_file: Path | None, verbose: bool = False) -> None:
    """Write what was found to a file or to standard output: as a page, or as JSON (``form``)."""
    if form == "json":
        from circuitdsl.report.data.json import to_json

        output.put(to_json(found.to_dict()), output_file)
    else:
        output.put(cd.show(found, view=output.view_of(output_file, verbose)), output_file)


def need_pages(html: Path | None) -> None:
    """Raise InputError where no page could be made or written: before anything is run, and not after it."""
    if html is not None:
        from circuitdsl.report.html.page import need_makers

        need_makers()
        output.need_writable(html)


def put_page(found: Paged, html: Path | None) -> None:
    """Write the page of what was found, where one is wanted, and say where it is."""
    if html is not None:
        output.write_file(html, cd.show(found, "html"))
        print(f"report written to {html}", file=sys.stderr)


def load(paths: Iterable[str], model: str | None, revision: str | None = None) -> Document:
    """The document of some files; warnings go to standard error. Raises SpecError."""
    return cd.load(*paths, model=model, revision=revision, warned=warn)


def load_blocks(files: Iterable[str], model: str | None, revision: str | None) -> Document:
    """A document with something to check in it. Raises SpecError, and InputError if nothing would be checked."""
    paths = [find_spec(name) for name in files]
    document = load(paths, model, revision)
    cd.api.require_blocks(document, paths)
    return document


def one_circuit(spec: str, model: str | None, revision: str | None) -> Circuit:
    """The circuit of ``file``, ``file:circuit`` or ``HEAD:file``. Raises InputError if it is not exactly one."""
    return cd.api.circuit_in(spec, model, revision, warn)


def all_circuits(specs: Iterable[str], model: str | None, revision: str | None) -> tuple[Circuit, ...]:
    """The circuits of every ``file``, and the one of each ``file:circuit``. Raises as :func:`one_circuit`."""
    return tuple(circuit for spec in specs for circuit in cd.api.circuits_in(spec, model, revision, warn))


def results_store(cache: bool, folder: Path | None) -> cd.Store | Literal[False]:
    """Where results are kept between calls, as ``--cache`` and ``--cache-folder`` say; False for nowhere."""
    return cd.Store.in_folder(folder) if cache else False


def amount(written: str | None) -> int:
    """``4GB`` as a number of bytes, at least one; 0 where nothing is written. Raises InputError."""
    if written is None:
        return 0
    read = re.fullmatch(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[KMGT]B)", written, re.IGNORECASE)
    amount = int(Decimal(read["number"]) * _UNITS[read["unit"].upper()]) if read else 0
    if amount < 1:
        raise InputError(f"--memory {written} is not an amount of memory", "write it as 4GB or 500MB")
    return amount


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
