"""The JSON contract, as text; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from circuitdsl.report.formats import Format
from circuitdsl.visible import UNSEEN


def to_json(data: Mapping[str, object] | Sequence[object]) -> str:
    """Two-space indented JSON with a final line feed. NaN or infinity in ``data`` is a ValueError, never output.

    What a terminal would act on is written as the escape of JSON, so that the data are what they were.
    """
    written = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    return UNSEEN.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], written) + "\n"


FORMAT = Format(
    "json", "everything, for programs (docs/report.schema.json)", lambda report, view: to_json(report.to_dict())
)
