"""Attention heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from circuitdsl.components.base import Component, Numbers, outside
from circuitdsl.components.geometry import Geometry


@dataclass(frozen=True, order=True)
class Head(Component):
    """An attention head, written ``9.6``; ``9.*`` stands for all heads of layer 9.

    Its output is ``hook_z``, before W_O. With grouped queries the heads of a group share a column where keys
    pass, and one where values do; what each of them reads there is its own copy, which can be patched alone.

    >>> Head.spelled((9, None)), str(Head(9, 6)), Head(9, 6).receives("q")
    ('9.*', '9.6', 'blocks.9.attn.hook_q')
    >>> geometry = Geometry("toy", 2, 4, 2, 64, 16, 256, 100, 32)
    >>> Head.members((1, None), geometry)
    (Head(layer=1, index=0), Head(layer=1, index=1), Head(layer=1, index=2), Head(layer=1, index=3))

    Here four heads share two columns of keys:

    >>> Head(1, 3).column("q", geometry), Head(1, 3).column("k", geometry)
    ((3, 4), (1, 2))
    >>> [str(head) for head in Head(1, 3).group(geometry)]
    ['1.2', '1.3']
    """

    layer: int
    index: int

    rule = "HEAD"
    example = "9.6"
    inputs = "qkv"

    def __str__(self) -> str:
        return f"{self.layer}.{self.index}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        layer, index = numbers
        return f"{layer}.{'*' if index is None else index}"

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        layer, index = numbers[0] or 0, numbers[1]
        if geometry is None:
            return () if index is None else (cls(layer, index),)
        if layer >= geometry.n_layers:
            raise outside(geometry, f"layer {layer}", "C301")
        if index is None:
            return tuple(cls(layer, number) for number in range(geometry.n_heads))
        if index >= geometry.n_heads:
            raise outside(geometry, f"head {index} in layer {layer}", "C302")
        return (cls(layer, index),)

    @property
    def writes(self) -> int:
        return 2 * self.layer

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer

    @property
    def reading(self) -> str:
        return f"head {self} reads what layers below {self.layer} have written"

    @property
    def output(self) -> str:
        return f"blocks.{self.layer}.attn.hook_z"

    def receives(self, which: str) -> str:
        return f"blocks.{self.layer}.attn.hook_{which}"

    @property
    def pattern(self) -> str:
        """The hook point of its layer's attention probabilities."""
        return f"blocks.{self.layer}.attn.hook_pattern"

    def column(self, which: str, geometry: Geometry) -> tuple[int, int] | None:
        columns = geometry.n_kv_heads if which in ("k", "v") else geometry.n_heads
        return self.index * columns // geometry.n_heads, columns

    def group(self, geometry: Geometry) -> tuple[Head, ...]:
        """The heads that share its keys and values, itself among them; itself alone without grouped queries."""
        size = geometry.n_heads // geometry.n_kv_heads
        first = self.index // size * size
        return tuple(Head(self.layer, index) for index in range(first, first + size))


def all_heads(geometry: Geometry) -> tuple[Head, ...]:
    """Every head of a model, in order."""
    return tuple(Head(layer, index) for layer in range(geometry.n_layers) for index in range(geometry.n_heads))
