"""Tables for pandas, which not everybody has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(rows: Iterable[Mapping[str, object]]) -> DataFrame:
    """Rows as a pandas frame. Raises InputError where pandas is not installed."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise InputError(
            "a frame is made by pandas, which is not installed", 'pip install "circuitdsl[frame]"'
        ) from error
    return DataFrame(list(rows))
