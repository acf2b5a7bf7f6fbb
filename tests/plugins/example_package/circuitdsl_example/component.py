"""A kind of component: a whole attention layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from circuitdsl.components import Component, Geometry, Numbers
from circuitdsl.components.base import outside


@dataclass(frozen=True, order=True)
class Attn(Component):
    """All heads of a layer together, written ``attn 5``. Its output is what they add to the residual stream."""

    layer: int

    rule = "attn"
    grammar = r"""
%extend component: attn
attn: _ATTN INT
_ATTN.2: /attn\b/
"""
    example = "attn 5"
    claims_to_matter = False  # it is acted on as a whole; which parts of it matter, its heads tell

    def __str__(self) -> str:
        return self.spelled((self.layer,))

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return f"attn {numbers[0]}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        layer = numbers[0] or 0
        if geometry is not None and layer >= geometry.n_layers:
            raise outside(geometry, f"layer {layer}", "C301")
        return (cls(layer),)

    @property
    def writes(self) -> int:
        return 2 * self.layer

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.hook_attn_out"

    def receives(self, which: str) -> str:
        return f"blocks.{self.layer}.hook_attn_in"
