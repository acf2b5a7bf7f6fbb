"""What an installed package could add to the language: a kind of component, and an action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from circuitdsl.actions import Action, Reading, Run, Write, Written
from circuitdsl.components import Component, Geometry, Numbers
from circuitdsl.components.base import outside


@dataclass(frozen=True, order=True)
class Attention(Component):
    """All heads of a layer together, after W_O, written ``attn 3``."""

    layer: int

    rule = "attn"
    grammar = "%extend component: attn\nattn: _ATTN INT\n_ATTN.2: /attn\\b/"
    example = "attn 3"

    def __str__(self) -> str:
        return f"attn {self.layer}"

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


@dataclass(frozen=True)
class Negate(Action):
    """Outputs with the opposite sign."""

    word = "negate"
    grammar = "%extend action: negate\nnegate: _NEGATE group\n_NEGATE.2: /negate\\b/"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        nodes = reading.nodes(written.nodes)
        return None if nodes is None else cls(nodes, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> None:
        return None

    def writes(self, run: Run) -> list[Write]:
        return [Write(name, mask, lambda output: -output) for name, mask in run.outputs(self.nodes).items()]


class Clumsy(Attention):
    """Its grammar does not fit: it extends a rule that there is not."""

    grammar = "%extend nothing: attn"


class Unspelled(Attention):
    """No grammar spells it."""

    grammar = ""


class Misnamed(Attention):
    """Its grammar spells it by another rule than it says."""

    grammar = Attention.grammar.replace("attn", "attention")
