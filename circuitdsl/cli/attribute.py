"""``circuitdsl attribute``: which features a metric is attributed to."""

from __future__ import annotations

from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import Device, ModelName, OutputFile, Precision, Revision, TextOrJson, one_circuit, put


@app.command()
def attribute(
    spec: Annotated[str, typer.Argument(help="A spec file with dictionaries, or file:circuit where it holds several.")],
    threshold: Annotated[
        float, typer.Option(help="What a feature's value times its gradient exceeds, in units of the metric.")
    ] = 0.1,
    both_signs: Annotated[
        bool, typer.Option("--both-signs", help="Keep features that lower the metric, too, by the same threshold.")
    ] = False,
    model: ModelName = None,
    prompts: Annotated[int | None, typer.Option(min=2, help="How many prompts; else the method's first.")] = None,
    attribute_format: TextOrJson = "text",
    output_file: OutputFile = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every feature.")] = False,
) -> None:
    """Find the features that a circuit's metric is attributed to, in one backward pass. It orders, and decides nothing.

    The circuit says the task, the prompts, the metric and the dictionaries; what is found is to be claimed and judged
    by patching. Exit: 0 done.
    """
    report = cd.attribute(
        one_circuit(spec, model, revision),
        model=model,
        threshold=threshold,
        both_signs=both_signs,
        prompts=prompts,
        device=device,
        revision=revision,
        dtype=dtype,
    )
    put(report, attribute_format, output_file, verbose)
