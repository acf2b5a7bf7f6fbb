"""``circuitdsl tasks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.completion import complete_model, complete_task
from circuitdsl.cli.options import Revision
from circuitdsl.errors import InputError
from circuitdsl.report import output
from circuitdsl.visible import visible

tasks_app = typer.Typer(help="The tasks, and what their prompts look like.", invoke_without_command=True)
app.add_typer(tasks_app, name="tasks")


@tasks_app.callback()
def tasks_list(context: typer.Context) -> None:
    """List the tasks."""
    if context.invoked_subcommand is None:
        from circuitdsl.language.environment import TaskRef
        from circuitdsl.report.pages.names import names_table

        known = [(name, cd.tasks.describe(TaskRef(name)).about) for name in cd.tasks.task_names() if name != "file"]
        rows = [*known, ('file("my.jsonl")', "your own prompts, one JSON object a line")]
        output.put(output.view_of().text(names_table(rows)))


@tasks_app.command("new")
def tasks_new(
    file: Annotated[Path, typer.Argument(help="The file to write: my.jsonl. It must not be there yet.")],
) -> None:
    """Write a file of prompts to begin with, one JSON object a line, for `task file("my.jsonl")`."""
    if file.exists():
        raise InputError(f"{file} is there already, and nothing is written over", "name a file that is not there yet")
    output.write_file(file, cd.tasks.example_file())
    shown = visible(str(file))
    output.put(f'{shown} written: put your own prompts in place of these, then write `task file("{shown}")`\n')


@tasks_app.command("show")
def tasks_show(
    task: Annotated[
        str,
        typer.Argument(
            help='A task as a spec names it: ioi, "colored_objects(shots: 0)".', autocompletion=complete_task
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Whose tokenizer reads them.", autocompletion=complete_model)
    ] = "mini",
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many prompts.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the prompts.")] = 0,
    bos: Annotated[bool, typer.Option(help="Begin with the BOS token.")] = False,
    revision: Revision = None,
) -> None:
    """Show prompts of a task as a model reads them, token by token, with the positions marked."""
    from circuitdsl.language.format import quoted
    from circuitdsl.language.resolve import resolve_text
    from circuitdsl.report.pages.prompts import render_prompts

    # A task is read as a spec reads it, so that it has the same spelling and the same errors here.
    written = f"circuit shown {{\n  model {quoted(model)}\n  task  {task}\n}}\n"
    reference = resolve_text(written, "command line", cd.environment(model, revision)).circuits[0].task
    tokenizer = cd.models.light_tokenizer(model, revision)
    page = render_prompts(cd.tasks.draw(reference, tokenizer, count, seed, bos), tokenizer)
    output.put(output.view_of().text(page))
