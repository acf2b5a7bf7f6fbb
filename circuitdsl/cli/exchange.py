"""``circuitdsl import`` and ``circuitdsl export``: circuits of other tools."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import OutputFile, Revision, choices, one_circuit
from circuitdsl.errors import InputError
from circuitdsl.plugins import installed
from circuitdsl.report import output
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from circuitdsl.exchange import Graph

    CircuitFormat = str
else:
    CircuitFormat = choices("CircuitFormat", installed("exchange"))

Positions = Annotated[
    list[str] | None, typer.Option("--position", help="A position of the file and its name here: 18=END.")
]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A circuit of another tool.")],
    model: Annotated[str, typer.Option("--model", "-m", help="The model that it is a circuit of.")],
    task: Annotated[str, typer.Option("--task", "-t", help='The task that it is for: ioi, file("my.jsonl").')],
    circuit_format: Annotated[
        CircuitFormat | None, typer.Option("--format", "-f", help="The format, where the file does not tell.")
    ] = None,
    name: Annotated[str, typer.Option(help="The circuit's name; by itself the file's.")] = "",
    top: Annotated[str, typer.Option(help="Take so many of the highest scores, 200 or 2%. Needs --by.")] = "",
    threshold: Annotated[float | None, typer.Option(help="Take scores of at least this. Needs --by.")] = None,
    by: Annotated[
        Literal["absolute", "signed"] | None, typer.Option(help="Whether the size of a score counts or its value.")
    ] = None,
    position: Positions = None,
    output_file: OutputFile = None,
    revision: Revision = None,
) -> None:
    """Write a circuit of another tool as a specification, and say what is not kept.

    Formats are told by the file: EAP-IG and MIB, ACDC, auto-circuit and more.
    Names that the model does not have are errors. No pickle is executed.
    """
    environment = cd.environment(revision=revision)
    graph = cd.exchange.read(file, environment.geometry(model), circuit_format or "")
    graph = _chosen(graph, top, threshold, by)
    folder = str(output_file.parent) if output_file else "."
    heading = cd.exchange.Heading(name or file.stem, model, task, folder)
    written = cd.exchange.to_spec(graph, heading, environment, _pairs(position or ()))
    output.put(written.data.decode(), output_file)
    _tell(written.lost, written.added)


@app.command()
def export(
    spec: Annotated[str, typer.Argument(help="A spec file, or file:circuit where it holds several.")],
    circuit_format: Annotated[CircuitFormat, typer.Option("--format", "-f", help="The format to write.")],
    position: Positions = None,
    output_file: OutputFile = None,
    revision: Revision = None,
) -> None:
    """Write a circuit in the format of another tool, and say what that cannot hold and what was added."""
    circuit = one_circuit(spec, None, revision)
    numbers = {here: there for there, here in _pairs(position or ()).items()}
    graph = cd.exchange.renamed(cd.exchange.of_circuit(circuit), numbers)
    written = cd.exchange.write(graph, circuit_format)
    if output_file is not None:
        output.write_bytes(output_file, written.data)
    elif cd.exchange.formats()[circuit_format].encoding == "torch":
        raise InputError(f"{circuit_format} is no text, which could be printed", "name a file: --output circuit.pt")
    else:
        output.put(written.data.decode())
    _tell((*cd.exchange.unsaid(circuit), *written.lost), written.added)


def _chosen(graph: Graph, top: str, threshold: float | None, by: Literal["absolute", "signed"] | None) -> Graph:
    """The graph with what the options ask for in the circuit; as the file marks it where they ask for nothing."""
    if top and threshold is not None:
        raise InputError("--top and --threshold both choose what is in the circuit", "leave one out")
    if not top and threshold is None:
        if by is not None:
            raise InputError("--by says how scores are ordered, and none are chosen", "add --top or --threshold")
        return graph
    if by is None:
        raise InputError(
            "scores may be ordered by their size or by their value, and users of these files do not agree",
            "say which: --by absolute or --by signed",
        )
    if threshold is not None:
        return cd.exchange.above(graph, threshold, by)
    number = re.fullmatch(r"(\d{1,9}|\d{1,3}\.\d+(?=%))(%?)", top, re.ASCII)
    if number is None:
        raise InputError(f"--top {top} is no number of edges and no share of them", "write --top 200 or --top 2%")
    if number[2]:
        return cd.exchange.top_share(graph, float(number[1]) / 100, by)
    return cd.exchange.top(graph, int(number[1]), by)


def _pairs(written: Iterable[str]) -> dict[str, str]:
    """Positions of a file with their names here."""
    pairs: dict[str, str] = {}
    for each in written:
        there, equals, here = (part.strip() for part in each.partition("="))
        if not (there and equals and here):
            raise InputError(f"--position {each} says nothing", "write the file's position and the task's: 18=END")
        if there in pairs or here in pairs.values():
            raise InputError(f"--position {each} names a position a second time", "name each once")
        pairs[there] = here
    return pairs


def _tell(lost: Iterable[str], added: Iterable[str]) -> None:
    """Say on standard error in what the file that was written differs from the one that was read."""
    for said in lost:
        print(f"not kept: {visible(said)}", file=sys.stderr)
    for said in added:
        print(f"added: {visible(said)}", file=sys.stderr)
