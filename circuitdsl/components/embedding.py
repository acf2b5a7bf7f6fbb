"""The embeddings of tokens and of positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from circuitdsl.components.base import Component, Numbers
from circuitdsl.components.geometry import Geometry


class _Embedding(Component):
    """Computed from the tokens alone: it writes before all layers and reads nothing."""

    layer = -1
    claims_to_matter = False
    everywhere = True
    hook: ClassVar[str]

    def __str__(self) -> str:
        return self.example

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return cls.example

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        return (cls(),)

    @property
    def writes(self) -> int:
        return -1

    def reads(self, parallel: bool) -> int | None:
        return None

    @property
    def output(self) -> str:
        return self.hook

    def receives(self, which: str) -> str:
        raise LookupError(f"{self} is computed from the tokens alone and has no input")


@dataclass(frozen=True, order=True)
class Embed(_Embedding):
    """The token embedding, written ``embed``."""

    rule = "embed"
    example = "embed"
    hook = "hook_embed"


@dataclass(frozen=True, order=True)
class PosEmbed(_Embedding):
    """The positional embedding, written ``pos_embed``."""

    rule = "pos_embed"
    example = "pos_embed"
    hook = "hook_pos_embed"
    fixed = True
