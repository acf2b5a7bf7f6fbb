"""The JSON contract, as text; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from circuitdsl.report.formats import Format


def to_json(data: Mapping[str, object] | Sequence[object]) -> str:
    """Two-space indented JSON with a final line feed. NaN or infinity in ``data`` is a ValueError, never output."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMAT = Format(
    "json", "everything, for programs (docs/report.schema.json)", lambda report, view: to_json(report.to_dict())
)
