"""Dictionaries whose features are known, of planted models.

    python -m circuitdsl.models.planted.dictionaries specs/planted

``named`` is an autoencoder of what the heads of ``planted-ioi`` write. Feature 16 x s + n stands for the n-th of the
16 names in the s-th of :data:`SPACES`: it is how much of ``seen:Mary``, say, a layer writes. Then come the coordinates
that nothing reads. All else that a layer writes is the dictionary's error, and so is what it writes against a name:
features are not negative. The same dictionary stands at every layer.

``mlp1`` and its like are transcoders of the MLPs of ``planted-mlps``, which are their wires: feature n is the n-th of
the neurons that were planned, whose threshold and both ends it has. The neurons that murmur are its error. Of ``half3``
every second name has a feature, and the neurons of the others are its error, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS
from circuitdsl.models.planted.plans import PLANTED, PlantedModel
from circuitdsl.models.planted.vocabulary import PLANTED_NAMES
from circuitdsl.models.planted.wiring import JUNK, Direction, feature

SPACES = ("previous", "seen", "inhibit", "answer")

Arrays = Mapping[str, np.ndarray]
"""Weights by the names that SAELens gives them. Float16 holds each as it is: all are sums of few powers of two."""


def named() -> tuple[str, ...]:
    """What each feature of ``named`` is, in order."""
    return (*(feature(space, name) for space in SPACES for name in PLANTED_NAMES), *JUNK)


def features_of(space: str) -> range:
    """The numbers of the features of a space, one a name; of ``junk``, those that nothing reads."""
    if space == "junk":
        return range(len(SPACES) * len(PLANTED_NAMES), len(named()))
    first = SPACES.index(space) * len(PLANTED_NAMES)
    return range(first, first + len(PLANTED_NAMES))


def of_heads(planted: PlantedModel) -> Arrays:
    """``named``: each feature is read off its own coordinate and written back there."""
    coordinates = [((name, 1.0),) for name in named()]
    return _arrays(planted, coordinates, [0.0] * len(coordinates), coordinates)


def of_mlp(planted: PlantedModel, layer: int, every: int = 1) -> Arrays:
    """The transcoder of an MLP: its planned neurons, or every second one."""
    plans = planted.mlps[layer][::every]
    return _arrays(
        planted, [plan.reads for plan in plans], [plan.threshold for plan in plans], [plan.writes for plan in plans]
    )


def _arrays(
    planted: PlantedModel, reads: Sequence[Direction], thresholds: Sequence[float], writes: Sequence[Direction]
) -> Arrays:
    return {
        "W_enc": np.ascontiguousarray(_rows(planted, reads).T),
        "b_enc": np.array([0 - each for each in thresholds], dtype=np.float16),
        "W_dec": _rows(planted, writes),
        "b_dec": np.zeros(len(planted.features), dtype=np.float16),
    }


def _rows(planted: PlantedModel, directions: Sequence[Direction]) -> np.ndarray:
    """[directions, d_model]"""
    rows = np.zeros((len(directions), len(planted.features)), dtype=np.float16)
    for row, direction in zip(rows, directions, strict=True):
        for name, weight in direction:
            row[planted.features.index(name)] += weight
    return rows


def write(folder: Path) -> None:
    """Write all of them as SAELens does, each a folder of cfg.json and sae_weights.safetensors."""
    _write(folder / "named", of_heads(PLANTED["planted-ioi"]()), {"architecture": "standard"})
    planted = PLANTED["planted-mlps"]()
    works = [(f"mlp{layer}", layer, 1) for layer, plans in enumerate(planted.mlps) if plans]
    for name, layer, every in (*works, ("half3", 3, 2)):
        trained = {"hook_name": f"blocks.{layer}.mlp.hook_in", "hook_name_out": f"blocks.{layer}.hook_mlp_out"}
        width = len(planted.features)
        more = {"architecture": "transcoder", "d_out": width, "metadata": {"model_name": planted.name} | trained}
        _write(folder / name, of_mlp(planted, layer, every), more)


def _write(folder: Path, weights: Arrays, more: Mapping[str, object]) -> None:
    from safetensors.numpy import save_file

    width, count = weights["W_enc"].shape
    settings = {
        "architecture": more["architecture"],
        "d_in": width,
        "d_sae": count,
        "dtype": "float16",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(json.dumps(settings | dict(more), indent=2) + "\n", encoding="utf-8")
    save_file(dict(weights), folder / WEIGHTS)
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
