"""``circuitdsl plan``."""

from __future__ import annotations

from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import Files, Memory, ModelName, OutputFile, Revision, TextOrJson, amount, load_blocks, put


@app.command()
def plan(
    files: Files,
    model: ModelName = None,
    plan_format: TextOrJson = "text",
    output_file: OutputFile = None,
    unexplained: Annotated[bool, typer.Option(help="Count the search for heads that are not listed.")] = True,
    examples: Annotated[
        bool, typer.Option("--examples", help="Count single prompts, as check --html reads them.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Job by job.")] = False,
    memory: Memory = None,
    revision: Revision = None,
) -> None:
    """Print the experiments that checking needs, their cost and their memory, and run none."""
    stacks = amount(memory)
    document = load_blocks(files, model, revision)
    cd.api.require_shapes((*document.circuits, *document.used), model, revision)
    made = cd.plan(document, unexplained, stacks, examples)
    put(made, plan_format, output_file, verbose)
