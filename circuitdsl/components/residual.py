"""The residual stream before a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from circuitdsl.components.base import Component, Numbers, outside
from circuitdsl.components.geometry import Geometry


@dataclass(frozen=True, order=True)
class Residual(Component):
    """The residual stream before layer 5 (resid_pre), written ``resid 5``: all that was written before it, together.

    Causal tracing patches it at a position (Meng et al. 2022). It is no part of a model that others could be taken
    away from: that a role lists it claims nothing, and no circuit can be kept by it.

    >>> str(Residual(5)), Residual(5).output
    ('resid 5', 'blocks.5.hook_resid_pre')
    """

    layer: int

    rule = "resid"
    example = "resid 5"
    claims_to_matter = False

    def __str__(self) -> str:
        return f"resid {self.layer}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return f"resid {numbers[0]}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        layer = numbers[0] or 0
        if geometry is not None and layer >= geometry.n_layers:
            raise outside(geometry, f"layer {layer}", "C301")
        return (cls(layer),)

    @property
    def writes(self) -> int:
        return 2 * self.layer - 1

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer

    @property
    def reading(self) -> str:
        return f"{self} is what layers below {self.layer} have written"

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.hook_resid_pre"

    def receives(self, which: str) -> str:
        return self.output
