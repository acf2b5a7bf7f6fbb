"""MLP layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from circuitdsl.components.base import Absent, Component, Numbers, outside
from circuitdsl.components.geometry import Geometry


@dataclass(frozen=True, order=True)
class Mlp(Component):
    """A whole MLP layer, written ``mlp 5``; ``mlp 0 .. 3`` stands for four of them.

    >>> Mlp.spelled((0, 3)), Mlp(5).output
    ('mlp 0 .. 3', 'blocks.5.hook_mlp_out')
    >>> Mlp.members((0, 1), Geometry("toy", 2, 4, 2, 64, 16, 256, 100, 32))
    (Mlp(layer=0), Mlp(layer=1))
    """

    layer: int

    rule = "mlp"
    example = "mlp 5"

    def __str__(self) -> str:
        return f"mlp {self.layer}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        first, last = numbers
        return f"mlp {first}" if last is None else f"mlp {first} .. {last}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        first = numbers[0] or 0
        end = first if numbers[1] is None else numbers[1]
        if end < first:
            message = f"the range `{cls.spelled(numbers)}` ends before it begins"
            raise Absent("C304", message, f"write `mlp {end} .. {first}`")
        if geometry is None:
            return (cls(first),)
        if geometry.d_mlp == 0:
            raise Absent("C303", f"{geometry.model} has no MLPs: it is attention only", "leave it out")
        if end >= geometry.n_layers:
            raise outside(geometry, f"layer {end}", "C301")
        return tuple(cls(layer) for layer in range(first, end + 1))

    @property
    def writes(self) -> int:
        return 2 * self.layer + 1

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer if parallel else 2 * self.layer + 1

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.hook_mlp_out"

    def receives(self, which: str) -> str:
        return f"blocks.{self.layer}.mlp.hook_in"


def all_mlps(geometry: Geometry) -> tuple[Mlp, ...]:
    """Every MLP of a model, in order; none in an attention-only one."""
    return tuple(map(Mlp, range(geometry.n_layers))) if geometry.d_mlp else ()
