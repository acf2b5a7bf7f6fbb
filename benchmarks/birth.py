"""When each claim about ``mini`` becomes true while it is trained.

    python -m circuitdsl.models.mini.train --out build/mini --keep-every 250
    python -m benchmarks.birth --checkpoints build/mini --out docs

Checks ``specs/mini/ioi.circuit`` on every checkpoint (``step0``, ``step250``, ...), prints the tables of docs/drift.md,
and writes ``birth.svg``, a chart of each claim of ``SHOWN`` over the steps. ``--end`` stands for the last step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import circuitdsl as cd
from circuitdsl.cli.progress_bar import ProgressBar
from circuitdsl.judge.estimates import Verdict
from circuitdsl.models.listing import ListedModel, listed
from circuitdsl.outcome import Panel
from circuitdsl.report.charts.drawing import svg
from circuitdsl.report.charts.panel import panel_chart
from circuitdsl.report.words import estimate

SHOWN = (
    "expect accuracy >= 90%",
    "expect attention(0.3 at S1+4, S1+4 -> S1) >= 65%",
    "expect attention(lookup, S2 -> S1+4) in 40% .. 65%",
    "expect attention(fetcher, END -> S2) >= 65%",
    "expect copying(caller, IO+3 -> IO) >= 70%",
    "edge gatherer -> lookup.k : raises",
    "edge lookup -> fetcher.v : raises",
    "edge fetcher -> logits : raises",
    "edge caller -> logits : raises",
    "expect knockout(lookup) in -75% .. -45%",
    "expect faithfulness >= 68%",
    "expect faithfulness > random heads",
)
"""Claims that are drawn: whether the model does the task, what heads look at, what they do for each other, and whether
the circuit is enough."""


def checkpoints(folder: Path, end: str, every: int) -> list[ListedModel]:
    """The checkpoints of a folder in the order of their steps, and ``end`` as the last of the training."""
    found = [listed(path) for path in folder.glob("step*") if path.is_dir()]
    kept = [each for each in found if each.step is not None and each.step % every == 0]
    last = ListedModel(end, None, "step5000", 5000.0)
    return [*sorted((each for each in kept if each.step != last.step), key=lambda each: each.step or 0), last]


def by_step(panel: Panel) -> Iterator[str]:
    """A row a step: how well mini does the task, how many claims hold, and which hold from then on."""
    yield "| step | accuracy | claims that hold | fail | undecided | that hold from here on |"
    yield "| ---: | --- | ---: | ---: | ---: | --- |"
    accuracy = next(claim for claim in panel.claims if claim.first.text.startswith("expect accuracy"))
    for place, column in enumerate(panel.columns):
        standings = [claim.standings[place] for claim in panel.claims]
        verdicts = [each.verdict for each in standings if each is not None]
        counts = (verdicts.count(each) for each in (Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED))
        born = [claim.first.text.removeprefix("expect ") for claim in panel.claims if claim.holds_from == place]
        known = accuracy.standings[place]
        said = "" if known is None else estimate(known.estimate, "share")
        yield f"| {column.model.step:g} | {said} | {' | '.join(map(str, counts))} | {_listed(born)} |"


def _listed(born: list[str]) -> str:
    """Claims in a cell: the first three, and how many more."""
    shown = ", ".join(f"`{each}`" for each in born[:3])
    return f"{shown} and {len(born) - 3} more" if len(born) > 3 else shown


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.birth", description="Claims over training.")
    parser.add_argument("--checkpoints", type=Path, default=Path("build/mini"))
    parser.add_argument("--every", type=int, default=250, help="only steps that are a multiple of this")
    parser.add_argument("--end", default="mini", help="the model at the end of the training (default: as it ships)")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args(arguments)
    with ProgressBar() as bar:
        models = checkpoints(given.checkpoints, given.end, given.every)
        panel = cd.panel("mini/ioi", models, unexplained=False, progress=bar)
    print(cd.show(panel))
    print("\n".join(by_step(panel)))
    drawn = [claim for text in SHOWN for claim in panel.claims if claim.first.text == text]
    (given.out / "birth.svg").write_text(svg(panel_chart(panel, drawn)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
