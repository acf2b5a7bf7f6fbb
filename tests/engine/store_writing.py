"""What two processes do to one store at once. They import this module and nothing that needs torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuitdsl.engine.store import Store


def write(folder: Path, name: str) -> None:
    """Put rows of its own, and each time the one row that all processes write."""
    store = Store.in_folder(folder)
    for i in range(50):
        store.put({f"{name}-{i}": np.full(10, float(i)), "both": np.arange(5.0)})
