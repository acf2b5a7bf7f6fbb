"""What the arguments of this package's functions may be, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from circuitdsl.arguments import Argument, a, checked_by, text
from circuitdsl.components import Dictionary
from circuitdsl.language.circuit import Processing
from circuitdsl.models.opening import Opening


def _is_bridge(value: object) -> bool:
    from transformer_lens.model_bridge import TransformerBridge

    return isinstance(value, TransformerBridge)


ARGUMENTS: Mapping[str, Argument] = {
    "name": Argument("the name or the folder of a model", '"mini"', a(str, Path)),
    "folder": Argument("the name of a folder", '"specs"', a(str, Path)),
    "path": Argument("the name of a folder", '"specs/features/mini/attn1"', a(str, Path)),
    "revision": text("a branch, tag or commit of a model of the hub", 'revision="main"'),
    "processing": Argument(
        f"one of {', '.join(get_args(Processing))}",
        'processing="none"',
        lambda value: isinstance(value, str) and value in get_args(Processing),
    ),
    "opening": Argument("an Opening", 'opening=cd.models.Opening(device="cpu")', a(Opening)),
    "dictionary": Argument("a Dictionary, as a circuit has it", "dictionary=circuit.dictionaries[0]", a(Dictionary)),
    "bridge": Argument("a TransformerBridge", 'cd.models.open_model("mini").bridge', _is_bridge),
    "progress": Argument("a function that is told each step", "progress=print", callable),
}
"""What a ``model`` may be is seen where it is opened, and ``text_of`` has an answer for anything."""

checked = checked_by(ARGUMENTS)
"""Every public function that takes something is decorated with it."""
