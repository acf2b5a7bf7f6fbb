"""``python -m benchmarks.verdict_growth``: how a whole check grows with prompts, heads, layers, length and claims.

Planted relays (``benchmarks.truth.relay``) in models of small shapes with random weights everywhere, which do their
task, so that unlisted heads are searched. Nothing is listed: members, completeness and random circuits are not in it,
and the claims are of one head each. One size is varied at a time. Each check is made twice, with the search and
without, in this process, on one thread, without the results store; opening the model is not counted. Prints a table,
and writes a chart of forward passes and CPU seconds to ``verdict-growth.svg``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.truth.relay import COUNTERFACTUAL, WORDS, Relay, shaped_relay
from benchmarks.truth.relay_claims import PROMPTS, resolved
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Geometry, all_heads
from circuitdsl.plan.plan import make_plan
from circuitdsl.report.charts.drawing import altair, data, svg

STAGES = 3
COLUMNS = ("axis", "size", "heads", "planned", "passes", "CPU s", "without the search: passes", "CPU s")


@dataclass(frozen=True)
class Check:
    """What is checked: a model of so many layers and heads, prompts of so many tokens, and so many claims."""

    layers: int = 8
    heads: int = 8
    prompts: int = 48
    length: int = 16
    claims: int = 16


SIZES = {
    "prompts": (24, 48, 96, 192),
    "heads": (4, 8, 16),
    "layers": (4, 8, 16),
    "length": (16, 32, 64),
    "claims": (4, 16, 64),
}
"""Sizes of each axis; the others stay as :class:`Check` has them."""

WIDTH, D_HEAD, VOCABULARY = 256, 32, 512


@dataclass(frozen=True)
class Point:
    """One check. ``passes`` and ``seconds`` with the search and without it; passes are plain ones over all prompts."""

    axis: str
    size: int
    heads: int
    planned: float
    passes: tuple[float, ...]
    seconds: tuple[float, ...]

    def row(self) -> Iterator[str]:
        yield from (self.axis, str(self.size), str(self.heads), f"{self.planned:.1f}")
        for passes, seconds in zip(self.passes, self.seconds, strict=True):
            yield from (f"{passes:.1f}", f"{seconds:.1f}")


def points(sizes: dict[str, Sequence[int]]) -> Iterator[Point]:
    """Every axis; a check that two axes have in common is made once."""
    made: dict[Check, Point] = {}
    for axis, some in sizes.items():
        for size in some:
            check = replace(Check(), **{axis: size})
            if check not in made:
                made[check] = measured(check, axis)
            yield replace(made[check], axis=axis, size=size)


def measured(check: Check, axis: str) -> Point:
    """Make a check with the search and without."""
    relay = shaped_relay(1, STAGES, shape(check))
    model = relay.build()
    passes: list[float] = []
    seconds: list[float] = []
    with TemporaryDirectory() as folder:
        # More prompts than are judged, for heads that are found are measured on fresh ones.
        (Path(folder) / PROMPTS).write_text(lines(relay, 2 * check.prompts, check.length), encoding="utf-8")
        document = resolved(relay, spec(relay, check), Path(folder))
        plans = [make_plan(document, unexplained=unexplained) for unexplained in (True, False)]
        for plan in plans:
            bench = Workbench(model, store=None)
            started = time.process_time()
            report = bench.check(plan)
            seconds.append(time.process_time() - started)
            passes.append(report.cost.passes)
    return Point(
        axis, getattr(check, axis), check.layers * check.heads, plans[0].fast.total, tuple(passes), tuple(seconds)
    )


def shape(check: Check) -> Geometry:
    """The model's; its heads have a width of their own, so that more of them change nothing else."""
    heads = check.heads
    return Geometry("relay", check.layers, heads, heads, WIDTH, D_HEAD, 4 * WIDTH, VOCABULARY, 1024)


def spec(relay: Relay, check: Check) -> str:
    """A circuit that lists nothing, with claims about one head each: knockouts, and paths to the logits."""
    heads = list(all_heads(relay.geometry))
    chosen = [heads[number * len(heads) // check.claims % len(heads)] for number in range(check.claims)]
    kinds = ("knockout({} at END)", "effect({} at END -> logits)")
    claims = "\n".join(f"expect {kinds[n % 2].format(head)} in -200% .. 200%" for n, head in enumerate(chosen))
    method = f"method {{ against {COUNTERFACTUAL} ablate zero prompts {check.prompts} }}"
    return f'circuit relay {{ model relay task file("{PROMPTS}") {method}\nexpect logit_diff > 0\n{claims} }}'


def lines(relay: Relay, count: int, length: int) -> str:
    """Prompts of a relay, filled up at their beginning to so many words and a BOS."""
    found: list[str] = []
    for number, line in enumerate(relay.prompts(count, 1).splitlines()):
        prompt = json.loads(line)
        more = length - 1 - len(prompt["prompt"].split())
        before = "".join(f"{WORDS[(number + each) % len(WORDS)]} " for each in range(more))
        spans = {name: [at + len(before) for at in span] for name, span in prompt["positions"].items()}
        others = {name: before + text for name, text in prompt["counterfactuals"].items()}
        whole = {"prompt": before + prompt["prompt"], "positions": spans, "counterfactuals": others}
        found.append(json.dumps(prompt | whole) + "\n")
    return "".join(found)


def chart(some: Sequence[Point]) -> Any:
    """A row of charts for passes and one for CPU seconds, a chart an axis; all scales are logarithmic."""
    alt = altair()
    rows = [
        {"axis": point.axis, "size": point.size, "what": what, "value": values[way], "check": name}
        for point in some
        for what, values in (("forward passes", point.passes), ("CPU seconds", point.seconds))
        for way, name in enumerate(("with the search", "without"))
    ]

    def panel(axis: str, what: str) -> Any:
        here = [row for row in rows if row["axis"] == axis and row["what"] == what]
        sizes = sorted({row["size"] for row in here})
        x = alt.X("size:Q", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=sizes), title=axis)
        y = alt.Y("value:Q", scale=alt.Scale(type="log"), title=what)
        colour = alt.Color("check:N", title=None, scale=alt.Scale(range=["#2166ac", "#d95f0e"]))
        return (
            alt.Chart(data(here)).mark_line(point=True).encode(x=x, y=y, color=colour).properties(width=150, height=150)
        )

    axes = dict.fromkeys(point.axis for point in some)
    each = [
        alt.hconcat(*(panel(axis, what) for axis in axes)).resolve_scale(y="shared")
        for what in ("forward passes", "CPU seconds")
    ]
    return alt.vconcat(*each)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verdict_growth", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--axes", default=",".join(SIZES), help="comma-separated")
    parser.add_argument("--smallest", type=int, default=0, help="so many of the smallest sizes of each axis; 0: all")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    asked = parser.parse_args(arguments)
    axes = asked.axes.split(",")
    if not SIZES.keys() >= set(axes):
        parser.error(f"axes: {', '.join(SIZES)}")
    torch.set_num_threads(1)
    print(f"load {os.getloadavg()[0]:.1f} at the start\n\n| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    found: list[Point] = []
    for point in points({axis: SIZES[axis][: asked.smallest or None] for axis in axes}):
        found.append(point)
        print(f"| {' | '.join(point.row())} |", flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "verdict-growth.svg").write_text(svg(chart(found)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
