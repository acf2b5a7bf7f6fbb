"""``circuitdsl explain``."""

from __future__ import annotations

from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.report import output


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A measurement, a diagnostic's code, a task, a model or a setting.")] = "",
) -> None:
    """Say what a name means; without one, list the names that have an explanation."""
    output.put(cd.explain(name))
