"""``circuitdsl diff``: two circuits, as descriptions and on their model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import (
    Device,
    OutputFile,
    Precision,
    Revision,
    Svg,
    TextOrJson,
    file_and_name,
    load,
    one_circuit,
    put,
)
from circuitdsl.errors import InputError
from circuitdsl.report import output

if TYPE_CHECKING:
    from circuitdsl.language.circuit import Circuit, Comparison


@app.command()
def diff(
    left: Annotated[str, typer.Argument(help="A spec file, or file:circuit; alone, a file with a compare block.")],
    right: Annotated[str | None, typer.Argument(help="Another; not with a compare block.", show_default=False)] = None,
    align: Annotated[
        list[str] | None, typer.Option(help='Roles that are counterparts: "name_mover ~ mover, a ~ b".')
    ] = None,
    diff_format: TextOrJson = "text",
    output_file: OutputFile = None,
    svg: Svg = None,
    function: Annotated[bool, typer.Option("--function", help="Run the model: shared work, overlap curves.")] = False,
    curve: Annotated[Path | None, typer.Option(help="Write the overlap curves as a picture; runs the model.")] = None,
    quoted: Annotated[str, typer.Option(help="With --function: say where this overlap would arise: 78%.")] = "",
    prompts: Annotated[int | None, typer.Option(min=2, help="With --function: on this many prompts.")] = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
) -> None:
    """Say how much two circuits share: heads, nodes, roles and edges, against what chance would give.

    Roles are counterparts as --align or the compare block says, else by name,
    else by the most shared heads. Of two descriptions of one task also what they
    say differently. With --function also what each circuit does for the other's
    task, and the overlap at every threshold.
    """
    share = _share(quoted)
    ours, theirs, pairs, block = _two_circuits(left, right, align or (), revision)
    found = cd.diff(ours, theirs, pairs, block)
    measured = function or curve is not None or share is not None
    if not measured:
        cd.api.require_shapes((ours, theirs), None, revision)
    if svg is not None:
        output.write_file(svg, cd.show(found, "svg"))
        if not measured:
            return
    output.need_room(output_file)
    if curve is not None:
        output.need_writable(curve)
    if measured:
        functional = cd.compare_function(
            ours,
            theirs,
            pairs,
            prompts=prompts,
            store=cd.Store.in_folder(),
            device=device,
            revision=revision,
            dtype=dtype,
            quoted=share,
        )
        if curve is not None:
            output.write_file(curve, cd.show(functional, "svg"))
        found = cd.diff(ours, theirs, pairs, block, functional)
    put(found, diff_format, output_file)


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
