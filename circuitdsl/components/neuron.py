"""Single neurons of MLP layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from circuitdsl.components.base import Absent, Component, Numbers, outside
from circuitdsl.components.geometry import Geometry


@dataclass(frozen=True, order=True)
class Neuron(Component):
    """A neuron of an MLP, written ``neuron 5.123``; ``neuron 5.*`` stands for all of layer 5.

    Its output is one number a token, after the activation function (in a gated MLP after the gate), before W_out. What
    it receives is its MLP's input; as all else of the MLP stays as it was, this is to give it the output that it has on
    that input.

    >>> str(Neuron(5, 123)), Neuron(5, 123).output
    ('neuron 5.123', 'blocks.5.mlp.hook_post')
    >>> Neuron(1, 3).column("", Geometry("toy", 2, 4, 2, 64, 16, 256, 100, 32))
    (3, 256)
    """

    layer: int
    index: int

    rule = "neuron"
    example = "neuron 5.123"
    single = True

    def __str__(self) -> str:
        return f"neuron {self.layer}.{self.index}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        layer, index = numbers
        return f"neuron {layer}.{'*' if index is None else index}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        layer, index = numbers[0] or 0, numbers[1]
        if geometry is None:
            return () if index is None else (cls(layer, index),)
        if geometry.d_mlp == 0:
            raise Absent("C303", f"{geometry.model} has no neurons: it is attention only", "leave it out")
        if layer >= geometry.n_layers:
            raise outside(geometry, f"layer {layer}", "C301")
        if index is None:
            return tuple(cls(layer, number) for number in range(geometry.d_mlp))
        if index >= geometry.d_mlp:
            message = f"{geometry.model} has no neuron {index} in layer {layer}"
            raise Absent("C302", message, f"it has {geometry.d_mlp}: {layer}.0 to {layer}.{geometry.d_mlp - 1}")
        return (cls(layer, index),)

    @property
    def writes(self) -> int:
        return 2 * self.layer + 1

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer if parallel else 2 * self.layer + 1

    @property
    def reading(self) -> str:
        return f"{self} reads what `mlp {self.layer}` reads"

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.mlp.hook_post"

    def receives(self, which: str) -> str:
        return self.output

    def column(self, which: str, geometry: Geometry) -> tuple[int, int] | None:
        return self.index, geometry.d_mlp

    @property
    def mlp(self) -> str:
        """The hook point of the output of the MLP that it is part of."""
        return f"blocks.{self.layer}.hook_mlp_out"
