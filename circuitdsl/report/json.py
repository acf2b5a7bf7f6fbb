"""The JSON contract of ARCHITECTURE.md, as text; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def to_json(data: Mapping[str, object] | Sequence[object]) -> str:
    """Two-space indented JSON with a final line feed. NaN or infinity in ``data`` is a ValueError, never output."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
