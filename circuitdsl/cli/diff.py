"""``circuitdsl diff``: two circuits or more, as descriptions and on their model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import (
    Device,
    Executor,
    Html,
    OutputFile,
    Precision,
    Revision,
    Svg,
    TextOrJson,
    a_file,
    all_circuits,
    load,
    need_pages,
    one_circuit,
    put,
    put_page,
)
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.errors import InputError
from circuitdsl.library import file_and_name
from circuitdsl.report import output

if TYPE_CHECKING:
    from circuitdsl.language.circuit import Circuit, Comparison
    from circuitdsl.models import Dtype
    from circuitdsl.outcome import Atlas, CircuitDiff


EXIT_DIFFERS = 1


@app.command()
def diff(
    circuits: Annotated[
        list[str],
        typer.Argument(
            help="Spec files, file:circuit or HEAD:file: two, or any number; one that holds a compare block."
        ),
    ],
    align: Annotated[
        list[str] | None, typer.Option(help='Roles that are counterparts: "name_mover ~ mover, a ~ b". Of two.')
    ] = None,
    diff_format: TextOrJson = "text",
    output_file: OutputFile = None,
    html: Html = None,
    svg: Svg = None,
    function: Annotated[bool, typer.Option("--function", help="Run the model: shared work, overlap curves.")] = False,
    curve: Annotated[
        Path | None, typer.Option(help="Of two: write the overlap curves; runs the model.", callback=a_file)
    ] = None,
    quoted: Annotated[str, typer.Option(help="With --function, of two: say where this overlap would arise: 78%.")] = "",
    prompts: Annotated[int | None, typer.Option(min=2, help="With --function: on this many prompts.")] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Of two: end with 1 where they say different things, as git diff does.")
    ] = False,
    device: Device = None,
    executor: Executor = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every figure; of many, every pair.")] = False,
) -> None:
    """Say how much circuits share: heads, nodes, roles and edges, against what chance would give.

    Of two, roles are counterparts as --align or the compare block says, else by
    name, else by the most shared heads; of two descriptions of one task also what
    they say differently. With --function also what each circuit does for the
    other's task, and the overlap at every threshold. Of three or more, every two
    are compared, and with --function every circuit is run on every task.
    """
    share = _share(quoted)
    opened = _Opened(prompts, device, revision, dtype, executor)
    need_pages(html)
    if len(circuits) > 2:
        if align or curve is not None or share is not None or exit_code:
            problem = "--align, --curve, --quoted and --exit-code are of two circuits"
            raise InputError(problem, "leave them out, or name two")
        put_page(_atlas(circuits, function, opened, svg, diff_format, output_file, verbose), html)
        return
    found = _diff(circuits, align or (), function, curve, share, opened, svg, diff_format, output_file, verbose)
    put_page(found, html)
    if exit_code and found.differs:
        raise typer.Exit(EXIT_DIFFERS)


class _Opened(NamedTuple):
    """How a model is run."""

    prompts: int | None
    device: str | None
    revision: str | None
    dtype: Dtype
    executor: str | None


def _atlas(
    specs: Sequence[str],
    function: bool,
    opened: _Opened,
    svg: Path | None,
    diff_format: str,
    output_file: Path | None,
    verbose: bool,
) -> Atlas:
    """Any number of circuits: the page, or the picture where nothing is measured and one is asked for."""
    circuits = all_circuits(specs, None, opened.revision)
    if not function:
        cd.api.require_shapes(circuits, None, opened.revision)
    found = cd.atlas(*circuits)
    output.need_room(output_file)
    if svg is not None:
        output.need_writable(svg)
    if function:
        with ProgressBar() as progress:
            measured = cd.measure_atlas(*circuits, progress=progress, store=cd.Store.in_folder(), **opened._asdict())
        found = cd.atlas(*circuits, function=measured)
    if svg is not None:
        output.write_file(svg, cd.show(found, "svg"))
    if svg is None or function:
        put(found, diff_format, output_file, verbose)
    return found


def _diff(
    specs: Sequence[str],
    align: Sequence[str],
    function: bool,
    curve: Path | None,
    share: float | None,
    opened: _Opened,
    svg: Path | None,
    diff_format: str,
    output_file: Path | None,
    verbose: bool,
) -> CircuitDiff:
    """Two circuits: the page, or the picture where nothing is measured and one is asked for."""
    left, right = (*specs, None)[:2]
    ours, theirs, pairs, block = _two_circuits(str(left), right, align, opened.revision)
    found = cd.diff(ours, theirs, pairs, block)
    measured = function or curve is not None or share is not None
    if not measured:
        cd.api.require_shapes((ours, theirs), None, opened.revision)
    if svg is not None:
        output.write_file(svg, cd.show(found, "svg"))
        if not measured:
            return found
    output.need_room(output_file)
    if curve is not None:
        output.need_writable(curve)
    if measured:
        with ProgressBar() as progress:
            functional = cd.compare_function(
                ours, theirs, pairs, store=cd.Store.in_folder(), quoted=share, progress=progress, **opened._asdict()
            )
        if curve is not None:
            output.write_file(curve, cd.show(functional, "svg"))
        found = cd.diff(ours, theirs, pairs, block, functional)
    put(found, diff_format, output_file, verbose)
    return found


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
    from circuitdsl.language.comparisons import read_align

    if right is not None:
        ours, theirs = one_circuit(left, None, revision), one_circuit(right, None, revision)
        return ours, theirs, read_align(align, ours, theirs, "--align"), None
    path, name = file_and_name(left)
    document = load([path], None, revision)
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
