"""Whether dictionaries are what SAELens, which saves them, says that they are.

    python -m benchmarks.dictionaries --python OTHER/bin/python             # one of every architecture, random weights
    python -m benchmarks.dictionaries --python OTHER/bin/python FOLDER ...  # these folders as well

``OTHER`` has ``sae-lens``, which needs TransformerLens 2, so that it has an environment of its own. There each
dictionary is loaded by SAELens's own loader and applied to random inputs (``sae_lens_process.py``); here by ours. One
that we refuse is listed with the reason. Exit code 1 where features or reconstructions differ by more than 1e-4 of the
largest.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.tables import table
from circuitdsl.components import Dictionary
from circuitdsl.language.environment import UnknownName
from circuitdsl.models import open_dictionary
from circuitdsl.models.dictionaries import describe_dictionary

MOST = 1e-4
INPUTS = 200


@dataclass(frozen=True)
class Compared:
    """Largest differences from SAELens, relative to the largest number; ``refused`` says why there are none."""

    name: str
    active: float = 0.0  # features a token, of SAELens
    features: float = 0.0
    reconstructions: float = 0.0
    refused: str = ""

    @property
    def agrees(self) -> bool:
        return max(self.features, self.reconstructions) <= MOST

    @property
    def cells(self) -> tuple[str, ...]:
        if self.refused:
            return self.name, "", "", "", f"refused: {self.refused}"
        return self.name, f"{self.active:.1f}", f"{self.features:.1e}", f"{self.reconstructions:.1e}", ""


def compared(folder: Path) -> Compared:
    """What we compute from a folder's inputs, beside what SAELens did."""
    try:
        info = describe_dictionary(str(folder))
    except UnknownName as error:
        return Compared(folder.name, refused=error.message.partition(": ")[2] or error.message)
    point = "mlp_out" if info.transcoder else "attn_out"
    weights = open_dictionary(
        Dictionary(point, 1, info.n_features, info.fingerprint, info.transcoder, folder.name, info.folder)
    )
    inputs, theirs, rebuilt = (np.load(folder / f"{name}.npy") for name in ("inputs", "features", "reconstructions"))
    features = weights.features(torch.from_numpy(inputs))
    ours = weights.decoded(features).numpy()
    return Compared(
        folder.name,
        float((theirs != 0).sum(-1).mean()),
        _difference(features.numpy(), theirs),
        _difference(ours, rebuilt),
    )


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def with_inputs(source: Path, folder: Path) -> None:
    """A copy of a dictionary with random inputs beside it."""
    place = folder / source.name
    shutil.copytree(source, place)
    width = describe_dictionary(str(place)).width
    generator = torch.Generator().manual_seed(0)
    np.save(place / "inputs.npy", torch.randn(INPUTS, width, generator=generator).numpy())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dictionaries", description="Dictionaries and SAELens.")
    parser.add_argument("--python", required=True, help="a Python that has sae-lens")
    parser.add_argument("folders", nargs="*", type=Path, help="dictionaries as SAELens saves them")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in asked.folders:
            with_inputs(source, folder)
        script = Path(__file__).with_name("sae_lens_process.py")
        subprocess.run([asked.python, str(script), name], check=True)
        found = [compared(each.parent) for each in sorted(folder.glob("*/inputs.npy"))]
    print(
        table(
            ("dictionary", "features a token", "features differ by", "reconstructions by", ""), [f.cells for f in found]
        )
    )
    return 0 if all(each.agrees for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
