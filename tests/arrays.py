"""What engines give for experiments, where none is expected to fail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Array, Failure


def array(result: Array | Failure) -> Array:
    """The array [prompts] of one experiment."""
    assert isinstance(result, np.ndarray), result
    return result


def arrays(results: Mapping[Experiment, Array | Failure]) -> dict[Experiment, Array]:
    """The arrays [prompts] of several experiments."""
    return {experiment: array(result) for experiment, result in results.items()}
