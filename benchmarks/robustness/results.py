"""What campaigns found, as one record each: what docs/robustness.json holds, and what the page is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Result:
    """One campaign: what was tried how often, how the tries ended, and every fault by what would repeat it."""

    name: str
    about: str
    tried: int = 0
    ends: dict[str, int] = field(default_factory=dict[str, int])
    faults: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def ended(self, how: str) -> None:
        """One more try has ended."""
        self._ended(how, 1)

    def fault(self, what: str) -> None:
        """One more try has ended as none should."""
        self.ended("otherwise")
        self.faults.append(what)

    def add(self, part: Result) -> None:
        """More tries of the same campaign."""
        for how, count in part.ends.items():
            self._ended(how, count)
        self.faults += part.faults
        self.notes += part.notes

    def _ended(self, how: str, count: int) -> None:
        self.tried += count
        self.ends[how] = self.ends.get(how, 0) + count


@dataclass(frozen=True)
class Record:
    """A campaign's result, and what run it is of.

    ``seconds`` are those of a clock, ``processor_seconds`` those of the CPUs, in this process and in those that it
    began. ``code`` is a hash of the sources, ``commit`` the last one before them.
    """

    result: Result
    seed: int
    date: str
    seconds: float
    processor_seconds: float
    version: str
    commit: str
    code: str


def read(file: Path) -> dict[str, Record]:
    """The records that were kept, by the names of their campaigns; none where there is no file."""
    if not file.exists():
        return {}
    kept = json.loads(file.read_text("utf-8"))
    return {name: Record(**each | {"result": Result(**each["result"])}) for name, each in kept.items()}


def write(records: Mapping[str, Record], file: Path) -> None:
    """As JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: asdict(each) for name, each in records.items()}, indent=1) + "\n", "utf-8")
