"""``circuitdsl sweep``: senders one by one, with no circuit written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import circuitdsl as cd
from circuitdsl.cli.app import app
from circuitdsl.cli.options import (
    Cache,
    CacheFolder,
    Device,
    Engine,
    Executor,
    Html,
    Memory,
    OutputFile,
    Precision,
    Revision,
    Svg,
    TextOrJson,
    a_file,
    amount,
    need_pages,
    put,
    put_page,
    results_store,
    warn,
    with_settings,
)
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.report import output


@app.command()
@with_settings
def sweep(
    task: Annotated[str, typer.Argument(help='A task as a spec names it: ioi, "colored_objects(shots: 0)"; my.jsonl.')],
    terms: Annotated[
        list[str] | None,
        typer.Argument(help='What is measured of each: "heads at S2 -> 9.6.q at END", "knockout({ heads mlps })".'),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A model by name, or a folder.")] = "mini",
    dictionary: Annotated[
        list[str] | None,
        typer.Option(help='A dictionary as a circuit declares it, for features a1.*: a1 at attn_out 1 from "folder".'),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be run and its cost; run nothing.")
    ] = False,
    sweep_format: TextOrJson = "text",
    output_file: OutputFile = None,
    html: Html = None,
    svg: Svg = None,
    npz: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as numpy arrays.", callback=a_file)
    ] = None,
    cache: Cache = True,
    cache_folder: CacheFolder = None,
    engine: Engine = "fast",
    memory: Memory = None,
    executor: Executor = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every sender.")] = False,
    *,
    settings: dict[str, str | int],
) -> None:
    """Measure senders one by one on a task: paths into anything, knockouts, attention. No circuit is needed.

    Without terms, every head and MLP at END into the logits. Exit: 0 done, 4 no sender of a term could be measured.
    """
    stacks = amount(memory)
    if dry_run:
        made = cd.plan_sweep(
            task, *terms or (), model=model, revision=revision, dictionaries=dictionary or (), warned=warn, **settings
        )
        put(made, sweep_format, output_file, verbose)
        return
    output.need_room(output_file)
    need_pages(html)
    for file in filter(None, (svg, npz)):
        output.need_writable(file)
    with ProgressBar() as progress:
        report = cd.sweep(
            task,
            *terms or (),
            model=model,
            progress=progress,
            store=results_store(cache, cache_folder),
            engine=engine,
            device=device,
            revision=revision,
            dtype=dtype,
            memory=stacks,
            dictionaries=dictionary or (),
            executor=executor,
            warned=warn,
            **settings,
        )
    if svg is not None:
        output.write_file(svg, cd.show(report, "svg"))
    if npz is not None:
        from circuitdsl.report.data.npz import npz as as_npz

        output.write_bytes(npz, as_npz(report))
    put(report, sweep_format, output_file, verbose)
    put_page(report, html)
    raise typer.Exit(report.exit_code)
