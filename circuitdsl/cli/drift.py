"""``circuitdsl drift``: what changed between two reports."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import OutputFile, put
from circuitdsl.report import output


@app.command()
def drift(
    old: Annotated[str, typer.Argument(help="A report that check wrote as JSON; of many models: FILE:LABEL.")],
    new: Annotated[str, typer.Argument(help="A later one, of the same specification.")],
    drift_format: Annotated[Literal["text", "json", "junit"], typer.Option("--format", "-f")] = "text",
    output_file: OutputFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List claims that are as they were, too.")] = False,
) -> None:
    """Say which verdicts and values changed between two reports, beyond their intervals.

    And whether weights, versions, tasks or methods did. Exit: 0 all is as it was,
    1 a claim changed, 3 of one it cannot be told, 4 one could not be run.
    """
    found = cd.drift(old, new)
    if drift_format == "junit":
        from circuitdsl.report.data.drift import drift_to_junit

        output.put(drift_to_junit(found), output_file)
    else:
        put(found, drift_format, output_file, verbose)
    raise typer.Exit(found.exit_code)
