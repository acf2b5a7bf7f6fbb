"""A sweep as numpy arrays in one file, a column an array; no pickle is needed to read it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from circuitdsl.outcome import SweepReport

_NUMBERS = ("value", "low", "high", "p_value", "p_holm")
_WHOLE = ("layer", "head", "prompts")


def arrays(report: SweepReport) -> dict[str, NDArray[np.generic]]:
    """The columns of :meth:`SweepReport.rows`, [senders] each, in its order.

    Numbers are float64, NaN where there is none or it is infinite; ``layer``, ``head`` and ``prompts`` are int64, -1
    for a head of what has none (an embedding's layer is -1 too); all others are text.
    """
    rows = list(report.rows())
    names = ("term", "unit", "sender", "position", "layer", "head", *_NUMBERS, "prompts", "finding", "note")
    return {name: _column(name, [row[name] for row in rows]) for name in names}


def npz(report: SweepReport) -> bytes:
    """The file's contents, for ``numpy.load``."""
    stream = BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays(report))
    return stream.getvalue()


def _column(name: str, values: list[object]) -> NDArray[np.generic]:
    if name in _NUMBERS:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if name in _WHOLE:
        return np.array([-1 if value is None else value for value in values], dtype=np.int64)
    return np.array([str(value) for value in values], dtype=np.str_)
