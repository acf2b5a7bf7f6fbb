"""``circuitdsl explain``."""

from __future__ import annotations

from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.completion import complete_explained
from circuitdsl.report import output


@app.command()
def explain(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            help="A measurement, a control, a diagnostic's code, a task, a model or a setting.",
            autocompletion=complete_explained,
        ),
    ] = None,
) -> None:
    """Say what a name means; without one, list the names that have an explanation."""
    output.put(cd.explain(" ".join(name or ())))
