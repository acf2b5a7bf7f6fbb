"""A dictionary whose features are known: the named coordinates that the heads of a planted model write.

    python -m circuitdsl.models.planted.dictionaries specs/planted/named

Feature 16 x s + n stands for the n-th of the 16 names in the s-th of :data:`SPACES`: it is how much of ``seen:Mary``,
say, a layer writes. Then come the coordinates that nothing reads. All else that a layer writes is the dictionary's
error, and so is what it writes against a name: features are not negative. The same dictionary stands at every layer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS
from circuitdsl.models.planted.plans import PLANTED, PlantedModel
from circuitdsl.models.planted.vocabulary import PLANTED_NAMES
from circuitdsl.models.planted.wiring import JUNK, feature

MODEL = "planted-ioi"
SPACES = ("previous", "seen", "inhibit", "answer")


def named() -> tuple[str, ...]:
    """What each feature is, in order."""
    return (*(feature(space, name) for space in SPACES for name in PLANTED_NAMES), *JUNK)


def features_of(space: str) -> range:
    """The numbers of the features of a space, one a name; of ``junk``, those that nothing reads."""
    if space == "junk":
        return range(len(SPACES) * len(PLANTED_NAMES), len(named()))
    first = SPACES.index(space) * len(PLANTED_NAMES)
    return range(first, first + len(PLANTED_NAMES))


def arrays(planted: PlantedModel) -> dict[str, np.ndarray]:
    """The weights of the dictionary: each feature is read off its own coordinate and written back there."""
    features = np.zeros((len(named()), len(planted.features)), dtype=np.float16)
    for number, name in enumerate(named()):
        features[number, planted.features.index(name)] = 1
    count, width = features.shape
    biases = {"b_enc": np.zeros(count, dtype=np.float16), "b_dec": np.zeros(width, dtype=np.float16)}
    return {"W_enc": np.ascontiguousarray(features.T), "W_dec": features} | biases


def write(folder: Path) -> None:
    """Write it as SAELens does: cfg.json and sae_weights.safetensors."""
    from safetensors.numpy import save_file

    weights = arrays(PLANTED[MODEL]())
    width, count = weights["W_enc"].shape
    settings = {
        "architecture": "standard",
        "d_in": width,
        "d_sae": count,
        "dtype": "float16",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    save_file(weights, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    if len(given) != 1:
        print("say where: python -m circuitdsl.models.planted.dictionaries FOLDER", file=sys.stderr)
        return 2
    write(Path(given[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
