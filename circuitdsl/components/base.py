"""What every kind of component knows: its spelling, its place in the order of computation, its inputs, its hook points.

A kind is a class, one file each; the registry (``components.kinds``) finds them among the entry points of the group
``circuitdsl.components``. Components are frozen dataclasses that hash by value. Nothing here needs torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from circuitdsl.components.geometry import Geometry

Numbers = tuple[int | None, ...]
"""The numbers of a component as they are written: ``(9, 6)`` for ``9.6``; None for one left out, and for a ``*``."""


class Absent(Exception):
    """The model has no such component: a diagnostic's code, message and remedy."""

    def __init__(self, code: str, message: str, remedy: str):
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


class Component(ABC):
    """A part of a model whose output can be read and replaced.

    Class attributes say of the whole kind:

    * ``rule``: its alternative of the grammar's rule ``component``: a rule that is called as the word that it begins
      with, ``mlp``, or a terminal for a kind that begins with none, ``HEAD``;
    * ``grammar``: lines of grammar that an installed package adds (``%extend component: attn``, that rule, and the
      terminals of its words, ``_ATTN.2: /attn\\b/``), "" for the kinds of grammar/circuit.lark;
    * ``example``: how it is written, for messages;
    * ``inputs``: the letters of its named inputs, some of "qkv", or "" for a single input without a name;
    * ``claims_to_matter``: whether listing it in a role claims that it matters;
    * ``everywhere``: whether it stands at all positions where none is written;
    * ``fixed``: whether its output is the same on all prompts of one length, so that no counterfactual changes it;
    * ``single``: whether its column at a hook point is a single number, and not a row of numbers as a head's.
    """

    rule: ClassVar[str]
    grammar: ClassVar[str] = ""
    example: ClassVar[str]
    inputs: ClassVar[str] = ""
    claims_to_matter: ClassVar[bool] = True
    everywhere: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    single: ClassVar[bool] = False

    # --- spelling --------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def spelled(cls, numbers: Numbers) -> str:
        """One or several components as a specification writes them: ``9.*``, ``mlp 0 .. 3``."""

    @classmethod
    @abstractmethod
    def members(cls, numbers: Numbers, geometry: Geometry | None) -> tuple[Self, ...]:
        """The components that are written so, in a model of this shape, or as far as can be told without it.

        Raises Absent if the model has not all of them.
        """

    # --- order of computation --------------------------------------------------------------------

    layer: int
    """Its layer, from 0; -1 before the first."""

    @property
    @abstractmethod
    def writes(self) -> int:
        """When its output is added to the residual stream: 2 x layer for heads, one later for what follows them."""

    @abstractmethod
    def reads(self, parallel: bool) -> int | None:
        """It reads what is written before this; None if it is computed from the tokens alone.

        ``parallel``: the MLPs of the model read the same stream as the heads of their layer.
        """

    def can_read(self, sender: Component, parallel: bool) -> bool:
        """Whether it reads the residual stream, or what is added up to its own output, after ``sender`` has written."""
        reads = self.reads(parallel)
        return sender != self and reads is not None and sender.writes < reads

    @property
    def looks_back(self) -> bool:
        """Whether its input without a name holds what was written at earlier tokens too, as attention brings it."""
        return False

    @property
    def reading(self) -> str:
        """What it reads, as a sentence without its end."""
        return f"{self} reads what stands in the residual stream before it"

    # --- hook points -----------------------------------------------------------------------------

    @property
    @abstractmethod
    def output(self) -> str:
        """The hook point at which its output is read and replaced."""

    @abstractmethod
    def receives(self, which: str) -> str:
        """The hook point of an input, named as in ``inputs``; "" for the one without a name."""

    def column(self, which: str, geometry: Geometry) -> tuple[int, int] | None:
        """Its own column at a hook point that has several, one a head or one a neuron, and how many there are: of its
        input ``which``, or of its output for "". None where all that passes the point is its own."""
        return None


def can_carry(sender: Component, receiver: Component, parallel: bool) -> bool:
    """Whether ``receiver`` reads the residual stream after ``sender`` has written to it.

    >>> from circuitdsl.components import Head, Mlp
    >>> can_carry(Head(0, 3), Head(1, 5), parallel=False)
    True
    >>> can_carry(Head(1, 5), Head(1, 6), parallel=False)
    False

    An MLP also reads the heads of its own layer, unless the model computes both in parallel:

    >>> can_carry(Head(1, 5), Mlp(1), parallel=False), can_carry(Head(1, 5), Mlp(1), parallel=True)
    (True, False)
    """
    return receiver.can_read(sender, parallel)


def outside(geometry: Geometry, what: str, code: str) -> Absent:
    """There is no such layer or head; the remedy says which there are."""
    last = f"{geometry.n_layers - 1}.{geometry.n_heads - 1}"
    shape = f"{geometry.model} has {geometry.n_layers} layers of {geometry.n_heads} heads: 0.0 to {last}"
    return Absent(code, f"{geometry.model} has no {what}", shape)
