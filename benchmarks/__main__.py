"""``python -m benchmarks``: what sweeps cost on GPT-2's shapes with random weights, and how that grows.

Writes sweeps.md and sweeps.json (after every case) and growth.svg to a folder. One thread; CPU seconds, or with
``--device cuda`` the seconds of one GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import growth
from benchmarks.cases import CASES
from benchmarks.models import SHAPES, model_of, prompts_of
from benchmarks.peers import Agreement, Peers, with_eap_ig, with_path_patching
from benchmarks.picture import growth_svg
from benchmarks.sweep import Row, row_of, with_helper
from benchmarks.tables import UNITS, growth_table, sweep_table
from circuitdsl.measures.measurement import Results
from circuitdsl.models import ModelError, Opening


@dataclass
class Report:
    """All that a call has measured so far."""

    settings: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    points: list[growth.Point] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """The tables and the JSON, complete as far as they go."""
        folder.mkdir(parents=True, exist_ok=True)
        whole = {
            "settings": self.settings | {"load at the end": os.getloadavg()},
            "rows": [asdict(row) | row.ratios for row in self.rows],
            "notes": self.notes,
            "agreements": [asdict(agreement) for agreement in self.agreements],
            "growth": [asdict(point) for point in self.points],
        }
        (folder / "sweeps.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        (folder / "sweeps.md").write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """As Markdown."""
        blocks = []
        for shape in dict.fromkeys(row.shape for row in self.rows):
            blocks += [f"{shape}-shaped", sweep_table([row for row in self.rows if row.shape == shape])]
        blocks += [UNITS, *self.notes] if self.rows else []
        blocks += [
            f"{each.method} on {each.shape}: rank correlation {each.correlation:.2f} with the exact effects of "
            f"{each.edges} edges, {each.prompts} prompts"
            for each in self.agreements
        ]
        if self.points:
            blocks += ["Powers with which costs grow, over the last three sizes", growth_table(self.points)]
        return "\n\n".join(blocks) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    torch.set_num_threads(1)
    report = Report(_settings(asked))
    for shape in asked.shape:
        _sweeps(shape, asked, report)
    if asked.growth != "none":
        _growth(growth.GRIDS[asked.growth], report, asked.out)
    report.write(asked.out)
    print(f"\n{report.text()}\nwritten to {asked.out}")


def _sweeps(shape: str, asked: argparse.Namespace, report: Report) -> None:
    """All cases on one shape, and the peers on them."""
    _tell(f"{shape}: making the model")
    model = model_of(shape, asked.device)
    rows: list[Row] = []
    results: dict[str, Results] = {}
    before = list(report.rows)
    for case in asked.cases:
        prompts = prompts_of(asked.prompts * CASES[case].times, asked.length, model.geometry.d_vocab)
        _tell(f"{shape}: case {case}, {len(prompts)} prompts")
        row, results[case] = row_of(case, model, prompts)
        rows.append(with_helper(row, model, prompts))
        _tell(f"  {row.fast:.2f} forwards, {row.ratios['fast / floor']:.2f} times the floor")
        report.rows = [*before, *rows]
        report.write(asked.out)
    prompts = prompts_of(asked.prompts, asked.length, model.geometry.d_vocab)
    peers = Peers(asked.peers_python, asked.path_patching, asked.eap_ig, asked.device)
    _tell(f"{shape}: the peers")
    rows, said = with_path_patching(rows, results, model, prompts, peers)
    rows, also, agreements = with_eap_ig(rows, model, prompts, peers)
    report.rows = [*before, *rows]
    report.notes += [f"{shape}, {note}" for note in (said, also)]
    report.agreements += agreements
    report.write(asked.out)


def _growth(grid: growth.Grid, report: Report, folder: Path) -> None:
    for point in growth.points(grid):
        _tell(f"growth: case {point.case}, {point.size} {point.axis}")
        report.points.append(point)
    shape = grid.shape
    title = (
        f"What a sweep costs: {shape.layers} layers, {shape.heads} heads, width {shape.width}, "
        f"{grid.prompts} prompts of {grid.length} tokens, one of them varied"
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.svg").write_text(growth_svg(report.points, title), encoding="utf-8")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "prompts": asked.prompts,
        "length": asked.length,
        "threads": 1,
        "dtype": "float32",
        "device": _card(asked.device),
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "load at the start": os.getloadavg(),
    }


def _card(device: str) -> str:
    """The device, by the name that its maker gave it."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n")[0])

    def names(known: Sequence[str]):
        def read(text: str) -> list[str]:
            found = [name for name in text.split(",") if name]
            if unknown := sorted(set(found) - set(known)):
                raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} among {', '.join(known)}")
            return found

        return read

    def device(text: str) -> str:
        try:
            Opening(device=text)
        except ModelError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    def there(text: str) -> Path:
        if not Path(text).exists():
            raise argparse.ArgumentTypeError(f"{text} does not exist")
        return Path(text).absolute()

    parser.add_argument("--shape", type=names([*SHAPES]), default=["small", "medium"], help="default: small,medium")
    parser.add_argument("--cases", type=names([*CASES]), default=[*CASES], help="comma-separated; default: all")
    parser.add_argument("--prompts", type=int, default=100, help="of every case but e, which takes ten times as many")
    parser.add_argument("--length", type=int, default=16, help="tokens of a prompt, at least 8")
    parser.add_argument("--growth", choices=["none", *growth.GRIDS], default="usual", help="sizes of the growth plots")
    parser.add_argument("--device", type=device, default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--peers-python", type=there, help="a Python with TransformerLens 2, for the peers")
    parser.add_argument("--path-patching", type=there, help="callummcdougall/path_patching: folder or bare repository")
    parser.add_argument("--eap-ig", type=there, help="hannamw/EAP-IG: folder or bare repository")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="default: build/benchmarks")
    asked = parser.parse_args(arguments)
    if asked.length < 8 or asked.prompts < 1:
        parser.error("--length must be at least 8 and --prompts at least 1")
    return asked


if __name__ == "__main__":
    main()
