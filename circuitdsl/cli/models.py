"""``circuitdsl models``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.report import output
from circuitdsl.visible import visible

models_app = typer.Typer(help="The models that ship or can be added.", invoke_without_command=True)
app.add_typer(models_app, name="models")

ANY_MODEL = 'A folder in Hugging Face\'s format and any name of its hub may stand there too: model "folder".'


@models_app.callback()
def models_list(context: typer.Context) -> None:
    """List the models that ship or can be added."""
    if context.invoked_subcommand is None:
        from circuitdsl.report.pages.names import names_table

        output.put(output.view_of().text(names_table(cd.models.model_names())))
        output.put(f"\n{ANY_MODEL}\n")


@models_app.command("add")
def models_add(name: Annotated[str, typer.Argument(help="smollm2-135m")]) -> None:
    """Obtain a model that is too large to ship, once, and keep it in the user's cache."""
    folder = cd.models.add_model(name, lambda step: print(visible(step), file=sys.stderr))
    output.put(visible(f"{name} is in {folder}") + "\n")
