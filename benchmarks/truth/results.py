"""All results as one record: what docs/trust.json holds, and what the page and the pictures are made from."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.truth.counts import Counts, total
from benchmarks.truth.pieces import Piece, Settings, code


@dataclass(frozen=True)
class Calibration:
    """What was counted of one claim of a suite, by the looks at its samples."""

    suite: str
    claim: str
    measure: str
    truth: float
    counts: Mapping[str, Counts]  # "20", "60-120-180"


@dataclass(frozen=True)
class Results:
    """Everything. ``tallies`` are the counts of planted and of untrained models and of random circuits, by name."""

    settings: Mapping[str, Any]
    calibrations: tuple[Calibration, ...]
    tallies: Mapping[str, Mapping[str, int]]

    def tally(self, kind: str, *name: object) -> int:
        """One count, 0 for what never happened."""
        return self.tallies.get(kind, {}).get("/".join(map(str, name)), 0)

    def names(self, kind: str, *start: object) -> tuple[str, ...]:
        """What stands next in the names that begin so, each once, in order."""
        depth = len(start)
        parts = (name.split("/") for name in self.tallies.get(kind, {}))
        found = {part[depth] for part in parts if len(part) > depth and part[:depth] == [*map(str, start)]}
        return tuple(sorted(found))

    def measures(self) -> tuple[str, ...]:
        """Calibrated measurements, in alphabetical order."""
        return tuple(sorted({each.measure for each in self.calibrations}))

    def looks(self) -> tuple[str, ...]:
        """The counts of prompts, single looks first."""
        found = {looks for each in self.calibrations for looks in each.counts}
        return tuple(sorted(found, key=lambda looks: (looks.count("-"), int(looks.split("-")[0]))))

    def of(self, measure: str, looks: str) -> tuple[Counts, ...]:
        """The counts of all claims of a measurement."""
        return tuple(c.counts[looks] for c in self.calibrations if c.measure == measure and looks in c.counts)

    def all_of(self, measure: str, looks: str) -> Counts:
        """The same, added up."""
        return total(self.of(measure, looks))

    def joined(self, later: Results) -> Results:
        """These with what was measured later beside it or in its place. Of ranges of prompts only the later ones stay:
        one belongs to a rule of looking."""
        samples = later.settings["samples"]
        named = [f"{looks.replace('-', ' to ')} prompts ({samples} samples)" for looks in later.looks()]
        again = dict.fromkeys((*named, *later.tallies), later.settings["code"])
        found = {key: each.counts for key, each in _keyed(later.calibrations)}

        def counts_of(key: _Key, each: Calibration) -> Mapping[str, Counts]:
            return {**{looks: c for looks, c in each.counts.items() if "-" not in looks}, **found.get(key, {})}

        calibrations = tuple(replace(each, counts=counts_of(key, each)) for key, each in _keyed(self.calibrations))
        known = {name: c for name, c in self.settings.get("again", {}).items() if " prompts (" not in name}
        counts = [[int(number) for number in looks.split("-")] for looks in later.looks() if "-" in looks]
        counts = [each for each in self.settings["counts"] if len(each) == 1] + counts
        settings = {**self.settings, "counts": counts, "again": {**known, **again}}
        return Results(settings, calibrations, {**self.tallies, **later.tallies})

    def renewed(self, later: Results) -> Results:
        """These with all that was calibrated later in its place; the settings say what, and of which code."""
        again = {each.measure: later.settings["code"] for each in later.calibrations}
        others = (each for each in self.calibrations if each.measure not in again)
        known = dict[str, str](self.settings.get("again", {}))
        return Results({**self.settings, "again": {**known, **again}}, (*others, *later.calibrations), self.tallies)

    # --- kept ------------------------------------------------------------------------------------

    def write(self, file: Path) -> None:
        """As JSON."""
        calibrations = [
            asdict(each) | {"counts": {looks: counts.to_dict() for looks, counts in each.counts.items()}}
            for each in self.calibrations
        ]
        whole = {"settings": self.settings, "pools": calibrations} | dict(self.tallies)
        file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Results:
        """What was written."""
        whole = json.loads(file.read_text(encoding="utf-8"))
        calibrations = tuple(
            Calibration(**each | {"counts": {looks: Counts.from_dict(c) for looks, c in each["counts"].items()}})
            for each in whole.pop("pools")
        )
        return cls(whole.pop("settings"), calibrations, whole)


_Key = tuple[str, str, int]
"""A suite, a claim, and which of the claims of the suite that read alike."""


def _keyed(calibrations: Iterable[Calibration]) -> list[tuple[_Key, Calibration]]:
    seen = Counter[tuple[str, str]]()
    keyed: list[tuple[_Key, Calibration]] = []
    for each in calibrations:
        seen[each.suite, each.claim] += 1
        keyed.append(((each.suite, each.claim, seen[each.suite, each.claim]), each))
    return keyed


def gathered(settings: Settings, made: Mapping[Piece, Any]) -> Results:
    """The results of all pieces, added up."""
    by_claim: dict[tuple[str, str], dict[str, Any]] = {}
    tallies: dict[str, Counter[str]] = {}
    for piece, result in made.items():
        found = result["found"]
        if piece.kind == "pool":
            _add(by_claim, piece, found)
        elif piece.kind != "read":
            tallies.setdefault(piece.kind, Counter()).update(found)
    calibrations = tuple(
        Calibration(suite, each["claim"], each["measure"], each["truth"], each["counts"])
        for (suite, _), each in by_claim.items()
    )
    about = {
        **asdict(settings) | {"suites": list(settings.suites), "counts": [list(looks) for looks in settings.counts]},
        "measures": list(settings.measures),
        "code": code(),
        "circuitdsl": version("circuitdsl"),
        "python": platform.python_version(),
        "processor seconds": round(sum(result["seconds"] for result in made.values())),
    }
    return Results(about, calibrations, {kind: dict(sorted(counter.items())) for kind, counter in tallies.items()})


def _add(by_claim: dict[tuple[str, str], dict[str, Any]], piece: Piece, found: Iterable[Mapping[str, Any]]) -> None:
    looks = "-".join(map(str, piece.looks))
    for each in found:
        known = by_claim.setdefault((piece.suite, each["id"]), {**each, "counts": {}})
        known["counts"][looks] = known["counts"].get(looks, Counts()) + Counts.from_dict(each["counts"])
