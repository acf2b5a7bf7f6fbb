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
    return "\n".join(lines).rstrip() + "\n"
