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


WHY = """## When figures are the same to the bit

On a CPU, in float32, a reading of the fast engine depends on the model, the experiment and the prompt alone: not on
`--memory`, on other experiments, files or prompts of the call, on what the results store had already, or on the number
of threads. So reports are the same to the bit. This is made so, not found so:

* Products are computed by code that gives a row the same result whatever stands beside it
  (`circuitdsl/engine/fast/products.py` has the rule). With torch 2.13's MKL on an AMD EPYC (AVX-512), one thread, that
  is so from 4 rows, 12 columns and 400 multiplications on; what is smaller is filled up with zeros. Sums over keys are
  made in pieces of 128, softmaxes over 16 numbers or more, and activations in whole vectors of 32.
* Experiments run together only over the same tokens, and each begins with the run that it is on top of at the layer of
  its first edit, whatever began before it: a run over some tokens sums over keys in another order than one over all.
* A prompt in which a path leads from no sender to any receiver has the figure of the run that is patched.

tests/engine/test_sameness.py compares random experiments on random models of four architectures: other `--memory`,
other batches, some experiments on some prompts alone; tests/check/test_same_report.py does so with checks, sweeps and
drafts. At the widths of GPT-2 and of SmolLM2-135M (3 layers, random weights) none of 98 and 89 readings differed, with
two threads neither, nor did `specs/mini/ioi` (57 claims, 30 prompts) with 3 MB in place of 64 MB.

What it costs, in CPU seconds before and after (2026-11-27, on a busy machine): `specs/mini/ioi` on 30 prompts 10.4 and
10.3, then 11.3 and 10.5; cases of `python -m benchmarks` on 4 layers of 8 heads and width 128, 50 prompts: a 0.109 and
0.109, a-total 0.134 and 0.141, b 0.134 and 0.127, f 0.120 and 0.105, g 0.113 and 0.102; on
GPT-2 small's shape, 8 prompts, a-total 1.21 and 1.19, b 1.09 and 1.11.

Where it does not hold:

* On a GPU, in bfloat16, and on other processors nothing is promised: their libraries choose code by other rules. On
  one of the same kind the same call gives the same figures. `python -m benchmarks.robustness --only sameness` says
  whether it holds on yours; the tests look where torch uses AVX-512.
* What the plain engine runs goes through the model's own code, all prompts of a batch at once, one experiment at a
  time. `--memory` and other experiments are nothing to it. With other prompts in a batch, as beside a file that asks
  for the same experiments on fewer prompts, last digits may differ (seen for prompts of fewer than 16 tokens, in models
  whose linear maps have no biases). One thread and two gave the same; torch does not promise it.
* `copying` compares the logits of all read tokens at once; only a tie of float32 could turn what it counts.
"""
