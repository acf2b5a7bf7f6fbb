"""What a campaign found, and the page that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date


@dataclass
class Result:
    """One campaign: what was tried how often, how the tries ended, and every fault by what would repeat it."""

    name: str
    about: str
    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def ended(self, how: str) -> None:
        """One more try has ended."""
        self.tried += 1
        self.ends[how] += 1


def page(results: Iterable[Result], seed: int) -> str:
    """The results as Markdown."""
    some = list(results)
    lines = [
        "# Robustness",
        "",
        "Written by `python -m benchmarks.robustness`; each campaign takes its count as an argument (`--help`). "
        f"Run on {date.today().isoformat()} with seed {seed}.",
        "",
        "| campaign | tried | faults | seconds |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {each.name} | {each.tried:,} | {len(each.faults)} | {each.seconds:.0f} |" for each in some),
        "",
    ]
    for each in some:
        lines += [f"## {each.name}", "", each.about, ""]
        lines += [f"* {how}: {count:,}" for how, count in sorted(each.ends.items())]
        lines += [f"* {note}" for note in each.notes]
        lines += [f"* **fault**: `{fault}`" for fault in each.faults[:20]]
        lines.append("")
    return "\n".join([*lines, WHY]).rstrip() + "\n"


WHY = """## Why last digits differ

The fast engine stacks experiments. In float32 a figure may differ in its last digit from stack to stack, for two
reasons. The first was measured; the second follows from how stacks are made:

* Products of matrices with few rows. With torch 2's MKL on an AMD EPYC, one thread, a row of `x @ W` is the same to the
  bit for every number of rows from 4 on, and another one for 1 to 3 rows (with two threads up to 11 rows); products of
  queries and keys also differ with the number of rows where there are few keys. How many rows a product has depends
  on how many experiments are stacked.
* A stack begins at the layer of its first edit. Experiments that are edited later run through the layers before over
  some tokens only, whose keys come in another order than in the run of all tokens, so that sums are made in another
  order. Isolated circuits may also run over the tokens of a larger one beside them.

So `--memory`, which sets the size of stacks, and other experiments in the same call can change last digits.
Stacks of one size, padded, would cost time in every check, and are not used. What is kept in
the results store is kept in whole stacks, and the stacks that are left after a kill are those that would have been
run: that is why a check that goes on gives the same report to the bit.
"""
