"""The page that says what campaigns found: docs/robustness.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.robustness.results import Record

SHOWN = 20
"""Faults of one campaign that the page lists; the record has all of them."""


def page(records: Mapping[str, Record], missing: Sequence[str] = ()) -> str:
    """The records as Markdown, in their order; ``missing`` are campaigns that have none."""
    unrun = [f"Not run to its end yet: {', '.join(f'`{name}`' for name in missing)}.", ""] if missing else []
    return "\n".join([*_head(records), *unrun, *(line for each in records.values() for line in _section(each)), WHY])


def _head(records: Mapping[str, Record]) -> Iterable[str]:
    about = (
        "`python -m benchmarks.robustness` writes this page from robustness.json, which holds the last run of each "
        "campaign. A campaign takes its count as an argument and can be run alone: `python -m benchmarks.robustness "
        "--only kills --kills 500`. Seconds are those of a clock; other work ran beside. What faults of earlier runs "
        "led to stands in the changelog."
    )
    yield from ("# Robustness", "", *_wrapped(about), "")
    yield from (
        "| campaign | name | tried | faults | seconds | of CPU | date | version |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | --- |",
    )
    for name, each in records.items():
        found = each.result
        yield (
            f"| {found.name} | `{name}` | {found.tried:,} | {len(found.faults)} | {each.seconds:.0f} | "
            f"{each.processor_seconds:.0f} | {each.date} | {each.version}, {each.commit} |"
        )
    yield ""


def _section(record: Record) -> Iterable[str]:
    found = record.result
    yield from (f"## {found.name}", "", *_wrapped(f"{found.about} Seed {record.seed}."), "")
    listed = [
        *(f"{how}: {count:,}" for how, count in sorted(found.ends.items())),
        *found.notes,
        *(f"**fault**: `{fault}`" for fault in found.faults[:SHOWN]),
    ]
    for each in listed:
        yield from _wrapped(f"* {each}", "  ")
    yield ""


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


WHY = """## Why last digits differ

The fast engine stacks experiments. In float32 a figure may differ in its last digit from stack to stack, for two
reasons:

* Products of matrices with few rows. With torch 2's MKL on an AMD EPYC, one thread, a row of `x @ W` is the same to the
  bit for every number of rows from 4 on, and another one for 1 to 3 rows; and torch computes products of fewer than 400
  multiplications by a kernel of its own, so that with heads of 16 numbers and one key all products of fewer than 25
  rows differ from those of more. How many rows a product has depends on how many experiments are stacked.
* A stack begins at the layer of its first edit. Experiments that are edited later run through the layers before over
  some tokens only, whose keys come in another order than in the run of all tokens, so that sums are made in another
  order. Isolated circuits may also run over the tokens of a larger one beside them.

So `--memory`, which sets the size of stacks, and other experiments in the same call can change last digits.
What is kept in the results store is kept in whole stacks, and the stacks that are left after a kill are those that
would have been run: that is why a check that goes on gives the same report to the bit.

What it would take was tried on 2026-11-27: rows of zeros added until a product has 4 rows and 400 multiplications
(attention, `x @ W`, the reading of logit differences), stacks of experiments that begin at one layer, and isolated
circuits beside those of the same tokens alone. With these three the campaign above (five settings of `--memory`, one
thread and two, company) is equal to the bit in 8 of 8, and takes as much CPU time as without (30 s). Cases a and b of
`python -m benchmarks`, on 4 layers of 8 heads and 50 prompts, take as much too (0.10 and 0.12 s), and a-total 0.13 for
0.11 or 0.12 s. Not measured are searches over isolated circuits whose tokens differ, which share most of their rows
today, and shapes of GPT-2. A claim that reads attention would still lengthen the passes of experiments beside it that
begin at the same tokens. So it is not done.
"""
