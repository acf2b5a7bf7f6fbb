"""Features of a dictionary, and the error that it leaves."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

from circuitdsl.components.base import Absent, Component, Numbers
from circuitdsl.components.dictionary import Dictionary
from circuitdsl.components.geometry import Geometry


class OfDictionary(Component):
    """A part of what stands at a dictionary's point. What is ``spelled`` follows the dictionary's name.

    It is given a value by adding, at that point, what the change of the value writes there: everything else there, the
    error among it, stays what it is in the run at hand, and everything after recomputes (Marks et al. 2024). The parts
    of all dictionaries at one point are computed from the same, so that none of them feeds another.

    At ``attn_out 1`` stands what the heads of layer 1 write together, which read what was written before them at all
    tokens; at ``mlp_out 1`` what the MLP of layer 1 writes. So heads, the MLP and neurons of the layer feed these parts
    too, and those that read what the dictionary's layer reads do so through them.
    """

    dictionary: Dictionary

    @property
    def layer(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dictionary.layer

    @classmethod
    @abstractmethod
    def of(cls, dictionary: Dictionary, numbers: Numbers) -> tuple[Self, ...]:
        """Those of a dictionary that are written so. Raises Absent if it has not all of them."""

    @classmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        raise LookupError(f"`{cls.example}` is a part of a dictionary: see `of`")

    @property
    def writes(self) -> int:
        return {"resid_pre": 2 * self.layer - 1, "attn_out": 2 * self.layer, "mlp_out": 2 * self.layer + 1}[
            self.dictionary.point
        ]

    def reads(self, parallel: bool) -> int | None:
        return 2 * self.layer + (self.dictionary.point == "mlp_out" and not parallel)

    def can_read(self, sender: Component, parallel: bool) -> bool:
        if isinstance(sender, OfDictionary) and self.beside(sender):
            return False
        return sender.output in self.added_up or super().can_read(sender, parallel)

    def beside(self, other: OfDictionary) -> bool:
        """Whether both are parts of what stands at one point."""
        return self.dictionary.stands_at == other.dictionary.stands_at

    @property
    def added_up(self) -> tuple[str, ...]:
        """The hook points of outputs that are added up at its point, as far as its value depends on them."""
        if self.dictionary.point == "attn_out":
            return (self.dictionary.summed,)
        if self.dictionary.point == "mlp_out" and self._of_output:
            return (self.dictionary.summed, f"blocks.{self.layer}.mlp.hook_post")
        return ()

    @property
    def _of_output(self) -> bool:
        """Whether its value depends on what stands at its point, and not on what a transcoder reads alone."""
        return not self.dictionary.transcoder

    @property
    def looks_back(self) -> bool:
        return self.dictionary.point == "attn_out"

    @property
    def reading(self) -> str:
        reads = "what layers below {0} have written" if self.dictionary.point == "resid_pre" else "what layer {0} reads"
        return f"{self} is computed from {reads.format(self.layer)}"

    def receives(self, which: str) -> str:
        return self.output


@dataclass(frozen=True, order=True)
class Feature(OfDictionary):
    """A feature, written ``a1.57`` after the name of its dictionary; ``a1.*`` stands for all of it.

    >>> dictionary = Dictionary("attn_out", 1, 256, "0f" * 32, name="a1")
    >>> str(Feature(dictionary, 57)), Feature.of(dictionary, (57,))[0].writes
    ('a1.57', 2)
    >>> Feature(dictionary, 57).column("", Geometry("toy", 2, 4, 2, 64, 16, 256, 100, 32))
    (57, 256)
    """

    dictionary: Dictionary
    index: int

    rule = "FEATURE"
    example = "a1.57"
    single = True

    def __str__(self) -> str:
        return f"{self.dictionary.name}.{self.index}"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return f".{'*' if numbers[0] is None else numbers[0]}"

    @classmethod
    def of(cls, dictionary: Dictionary, numbers: Numbers) -> tuple[Self, ...]:
        index, count = numbers[0], dictionary.n_features
        if index is None:
            return tuple(cls(dictionary, each) for each in range(count))
        if index >= count:
            name = dictionary.name
            raise Absent("C306", f"{name} has no feature {index}", f"it has {count}: {name}.0 to {name}.{count - 1}")
        return (cls(dictionary, index),)

    @property
    def output(self) -> str:
        return self.dictionary.features

    def column(self, which: str, geometry: Geometry) -> tuple[int, int] | None:
        return self.index, self.dictionary.n_features


@dataclass(frozen=True, order=True)
class ErrorTerm(OfDictionary):
    """The error of a dictionary's reconstruction, written ``a1.error``: what stands at its point less f W_dec + b_dec.

    >>> str(ErrorTerm(Dictionary("mlp_out", 1, 256, "0f" * 32, name="m1")))
    'm1.error'
    """

    dictionary: Dictionary

    rule = "ERROR_TERM"
    example = "a1.error"

    def __str__(self) -> str:
        return f"{self.dictionary.name}.error"

    @classmethod
    def spelled(cls, numbers: Numbers) -> str:
        return ".error"

    @classmethod
    def of(cls, dictionary: Dictionary, numbers: Numbers) -> tuple[Self, ...]:
        return (cls(dictionary),)

    @property
    def output(self) -> str:
        return self.dictionary.error

    @property
    def _of_output(self) -> bool:
        return True
