"""``circuitdsl draft``: from a model and a task to a specification whose claims hold on other prompts."""

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
    Memory,
    Precision,
    Revision,
    TextOrJson,
    amount,
    put,
    warn,
)
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.cli.sweep import setting
from circuitdsl.report import output


@app.command()
def draft(
    task: Annotated[str, typer.Argument(help='A task as a spec names it: ioi, "colored_objects(shots: 0)"; my.jsonl.')],
    output_file: Annotated[
        Path, typer.Option("--output", "-o", help="The specification that is written, whole or not at all.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="A model by name, or a folder.")] = "mini",
    fdr: Annotated[str | None, typer.Option(help="False ones among what enters a stage, on average: 5%.")] = None,
    top: Annotated[str | None, typer.Option(help="Take this share of a stage's senders, the largest: 2%.")] = None,
    stages: Annotated[int, typer.Option(min=1, help="How many stages back from the logits, at most.")] = 8,
    unexplained: Annotated[bool, typer.Option(help="Look for heads that matter and are not listed.")] = True,
    metric: Annotated[str | None, setting("logit_diff, probability, accuracy, hit(10), ...")] = None,
    against: Annotated[str | None, setting("The counterfactual that patches come from.")] = None,
    ablate: Annotated[str | None, setting('Of faithfulness: zero, mean, "mean by template", resample, ...')] = None,
    reference: Annotated[int | None, setting("How many prompts a mean is taken over.")] = None,
    prompts: Annotated[int | None, setting("How many prompts of either half are measured; 200.")] = None,
    floor: Annotated[str | None, setting("What counts as no change: 1%.")] = None,
    confidence: Annotated[str | None, setting("Of each interval: 95%.")] = None,
    seed: Annotated[int | None, setting("Of the judging prompts and of every random draw; 0.")] = None,
    bos: Annotated[bool, setting("Prompts begin with the BOS token.")] = False,
    processing: Annotated[str | None, setting("none, or fold: norms folded into the weights.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the first stage would run and its cost; run nothing.")
    ] = False,
    draft_format: TextOrJson = "text",
    cache: Cache = True,
    cache_folder: CacheFolder = None,
    engine: Engine = "fast",
    memory: Memory = None,
    device: Device = None,
    revision: Revision = None,
    dtype: Precision = "float32",
) -> None:
    """Find a circuit by path patching, stage by stage, and write it as a specification that holds on other prompts.

    Exit: 0 done, 4 nothing could be drafted.
    """
    named = {
        "metric": metric,
        "against": against,
        "ablate": ablate,
        "reference": reference,
        "prompts": prompts,
        "floor": floor,
        "confidence": confidence,
        "seed": seed,
        "bos": "yes" if bos else None,
        "processing": processing,
    }
    settings = {name: value for name, value in named.items() if value is not None}
    stacks = amount(memory) if memory is not None else 0
    if dry_run:
        put(cd.plan_draft(task, model=model, revision=revision, warned=warn, **settings), draft_format, None)
        return
    output.need_room(None)
    output.need_writable(output_file)
    with ProgressBar() as progress:
        report = cd.draft(
            task,
            model=model,
            output=output_file,
            fdr=fdr,
            top=top,
            stages=stages,
            unexplained=unexplained,
            progress=progress,
            store=cd.Store.in_folder(cache_folder) if cache else None,
            engine=engine,
            device=device,
            revision=revision,
            dtype=dtype,
            memory=stacks,
            **settings,
        )
    if report.text:
        output.write_file(output_file, report.text)
    put(report, draft_format, None)
    raise typer.Exit(report.exit_code)
