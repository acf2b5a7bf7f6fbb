"""``python -m benchmarks.truth``: whether verdicts are wrong as seldom as they say.

Writes trust.json (all counts), trust.md and its pictures to a folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.truth.document import page
from benchmarks.truth.pictures import coverage_svg, detection_svg, p_values_svg
from benchmarks.truth.pieces import PARTS, PROCESSES, Settings, carry_out, pieces
from benchmarks.truth.pools import suite_names
from benchmarks.truth.results import Results, gathered


def main(arguments: Sequence[str] | None = None) -> Results:
    """Measure what is asked for, or go on with it, and write the page."""
    asked = _arguments(arguments)
    settings = Settings(
        suites=tuple(asked.suites),
        pool=asked.pool,
        samples=asked.samples,
        planted=asked.planted,
        untrained=asked.untrained,
        random=asked.random,
        saving=asked.saving,
        counts=tuple(asked.counts),
        measures=tuple(asked.measures),
    )
    started = time.monotonic()
    parts = ["pools"] if settings.measures else asked.only
    results = gathered(settings, carry_out(pieces(settings, parts), asked.work, _tell, asked.processes))
    if settings.measures:
        results = Results.read(asked.out / "trust.json").renewed(results)
    elif asked.add:
        results = Results.read(asked.out / "trust.json").joined(results)
    write(results, asked.out)
    _tell(f"{(time.monotonic() - started) / 60:.1f} minutes; written to {asked.out / 'trust.md'}")
    return results


def write(results: Results, folder: Path) -> None:
    """The counts, the page and its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "trust.json")
    (folder / "trust.md").write_text(page(results), encoding="utf-8")
    pictures = {"coverage": coverage_svg, "p-values": p_values_svg, "detection": detection_svg}
    for name, picture in pictures.items():
        (folder / f"trust-{name}.svg").write_text(picture(results), encoding="utf-8")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    whole = Settings(suite_names())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=(__doc__ or "").split("\n\n")[0])

    def names(text: str) -> list[str]:
        found = [name for name in text.split(",") if name]
        if unknown := sorted(set(found) - set(PARTS)):
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} among {', '.join(PARTS)}")
        return found

    def looks(text: str) -> tuple[int, ...]:
        try:
            first, *most = (int(number) for number in text.split("-"))
            return (first, *most[:1])
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text} is no number of prompts, nor two, as 20-200") from error

    parser.add_argument("--only", type=names, default=[*PARTS], help=f"some of {','.join(PARTS)}; default: all")
    parser.add_argument(
        "--measures", nargs="+", default=(), help="calibrate these again, in place of what --out says of them"
    )
    parser.add_argument("--suites", nargs="+", default=whole.suites, help="suites of pools, by name or file")
    parser.add_argument(
        "--counts", nargs="+", type=looks, default=whole.counts, help="prompts, or from 20 to 200: 20-200"
    )
    parser.add_argument("--add", action="store_true", help="beside what --out says, or in its place")
    for name, about in (
        ("pool", "prompts of a pool, for each task"),
        ("samples", "samples of a pool, of each number of prompts"),
        ("planted", "random planted models"),
        ("untrained", "models of random weights"),
        ("random", "groups of random circuits"),
        ("saving", "samples of a pool whose verdicts are waited for"),
    ):
        default = getattr(whole, name)
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{about}; default: {default}")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"default: {PROCESSES}")
    parser.add_argument("--work", type=Path, default=Path("build/truth"), help="where finished pieces are kept")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where the page goes; default: docs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
