"""``circuitdsl show``."""

from __future__ import annotations

from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import ModelName, Revision, Svg, one_circuit
from circuitdsl.report import output


@app.command()
def show(
    spec: Annotated[str, typer.Argument(help="A spec file, or file:circuit where it holds several.")],
    model: ModelName = None,
    svg: Svg = None,
    revision: Revision = None,
) -> None:
    """Draw a circuit: layers from the embedding to the logits, roles, and the edges between them."""
    circuit = one_circuit(spec, model, revision)
    cd.api.require_shapes([circuit], model, revision)
    if svg is not None:
        output.write_file(svg, cd.show(circuit, "svg"))
    else:
        output.put(cd.show(circuit, view=output.view_of()))
