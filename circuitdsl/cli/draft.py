"""``circuitdsl draft``: from a model and a task to a specification whose claims hold on other prompts, and from a
specification to a better one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import (
    Cache,
    CacheFolder,
    Device,
    Engine,
    Executor,
    Memory,
    Precision,
    Revision,
    TextOrJson,
    a_file,
    amount,
    put,
    results_store,
    warn,
    with_settings,
)
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.errors import InputError
from circuitdsl.library import file_and_name, find_spec
from circuitdsl.report import output
from circuitdsl.visible import visible


@app.command()
@with_settings
def draft(
    task: Annotated[
        str | None, typer.Argument(help='A task as a spec names it: ioi, "colored_objects(shots: 0)"; my.jsonl.')
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file that the specification is written to.", callback=a_file),
    ] = None,
    refine: Annotated[
        str | None, typer.Option(help="Propose a change of this specification (my.circuit, my.circuit:NAME) instead.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the change into the file that --refine names.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model by name, or a folder; mini, or that of --refine.")
    ] = None,
    fdr: Annotated[str | None, typer.Option(help="False ones among what enters a stage, on average: 5%.")] = None,
    top: Annotated[str | None, typer.Option(help="Take this share of a stage's senders, the largest: 2%.")] = None,
    stages: Annotated[int | None, typer.Option(min=1, help="How many stages back from the logits, at most: 8.")] = None,
    mlps: Annotated[bool, typer.Option(help="Look for MLPs too; if not, these are at work.")] = True,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A counterfactual to patch from; again for several; all. Else as many as change it all."),
    ] = None,
    unexplained: Annotated[bool, typer.Option(help="Look for heads that matter and are not listed.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the first stage would run and its cost; run nothing.")
    ] = False,
    draft_format: TextOrJson = "text",
    cache: Cache = True,
    cache_folder: CacheFolder = None,
    engine: Engine = "fast",
    memory: Memory = None,
    executor: Executor = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    *,
    settings: dict[str, str | int],
) -> None:
    """Find a circuit by path patching, stage by stage, and write it as a specification that holds on other prompts.

    With --refine, print what of a specification does nothing and what it lacks, as a diff of its file. Exit: 0 done,
    4 nothing could be drafted or refined.
    """
    running: dict[str, Any] = {
        "unexplained": unexplained,
        "fdr": fdr,
        "engine": engine,
        "device": device,
        "revision": revision,
        "dtype": dtype,
        "memory": amount(memory),
        "executor": executor,
    }
    if refine is not None:
        alone = {"TASK": task, "--output": output_file, "--top": top, "--stages": stages, "--dry-run": dry_run or None}
        alone |= {"--no-mlps": None if mlps else True, "--against": against or None}
        _refuse({**alone, **{f"--{name}": value for name, value in settings.items() if name != "prompts"}})
        running |= {"model": model, "prompts": settings.get("prompts")}
    elif apply:
        raise InputError("--apply writes what --refine proposes", "name the specification: --refine my.circuit")
    elif task is None or output_file is None:
        needs = "a draft is of a task, and is written into a file"
        raise InputError(needs, "circuitdsl draft ioi --output ioi.circuit; or --refine my.circuit")
    elif dry_run:
        known: dict[str, Any] = {"mlps": mlps, "against": against or (), "revision": revision, **settings}
        made = cd.plan_draft(task, model=model or "mini", warned=warn, **known)
        put(made, draft_format, None)
        return
    else:
        running |= {"model": model or "mini", "top": top, "stages": stages or 8, "mlps": mlps}
        running |= {"against": against or (), **settings}
    output.need_room(None)
    running["store"] = results_store(cache, cache_folder)
    if refine is not None:
        _refine(refine, apply, draft_format, running)
    elif task is not None and output_file is not None:
        _draft(task, output_file, draft_format, running)


def _draft(task: str, output_file: Path, form: str, running: dict[str, Any]) -> None:
    output.need_writable(output_file)
    with ProgressBar() as progress:
        report = cd.draft(task, output=output_file, progress=progress, **running)
    if report.text:
        output.write_file(output_file, report.text)
    put(report, form, None)
    raise typer.Exit(report.exit_code)


def _refine(spec: str, apply: bool, form: str, running: dict[str, Any]) -> None:
    name, circuit = file_and_name(spec)
    path = find_spec(name)
    if apply and path != name:
        raise InputError(f"{name} is a specification that ships with circuitdsl", "copy it, and refine the copy")
    if apply:
        output.need_writable(Path(path))
    with ProgressBar() as progress:
        report = cd.refine(path, circuit, progress=progress, warned=warn, **running)
    changed = report.text != report.before
    if apply and changed:
        output.write_file(Path(path), report.text)
    put(report, form, None)
    if form == "text" and changed:
        output.put(f"{visible(path)} is changed\n" if apply else "nothing was written: --apply changes the file\n")
    raise typer.Exit(report.exit_code)


def _refuse(given: dict[str, object]) -> None:
    """Refuse what a refinement has from its file."""
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"{name} cannot be given with --refine", "the file says which task it is about, and how it is measured"
            )
