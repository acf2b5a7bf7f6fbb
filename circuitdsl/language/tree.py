"""The syntax tree: what a specification says, word by word, before any name is looked up.

Every node carries the span that it was read from. Spans take no part in equality, so that
``parse(print_tree(tree)) == tree``. Spellings that mean the same are one tree: braces around a single item, and
the order of the letters in ``.kv``, are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from circuitdsl.language.source import NOWHERE, Span


@dataclass(frozen=True)
class Syntax:
    """What all nodes of the tree have: a span."""

    span: Span = field(default=NOWHERE, compare=False, kw_only=True, repr=False)


# --- words -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Name(Syntax):
    """One word."""

    text: str


@dataclass(frozen=True)
class Words(Syntax):
    """One or more words that stand together: a role, a position, ``among options``, ``mean by template``."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Text(Syntax):
    """Text in double quotes, without them; a backslash escapes a quote or itself."""

    value: str


@dataclass(frozen=True)
class Number(Syntax):
    """A number as written, without white space; ``95%`` has the value 0.95."""

    text: str

    @property
    def percent(self) -> bool:
        return self.text.endswith("%")

    @property
    def value(self) -> float:
        """The number, as a fraction if it is written in per cent. Infinite if it is beyond a float."""
        return float(self.text[:-1]) / 100 if self.percent else float(self.text)


@dataclass(frozen=True)
class Place(Syntax):
    """A position with its offset: ``S1+1``."""

    name: str
    offset: int = 0


# --- nodes and groups ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Component(Syntax):
    """One or several components of a kind, by the grammar's ``rule`` for it: ``9.6``, ``9.*``, ``mlp 0 .. 3``.

    ``numbers`` are those written, None for one that is left out or a ``*``. ``of`` is the name of the dictionary that
    it is a part of, as in ``a1.57``, or "".
    """

    rule: str
    numbers: tuple[int | None, ...] = ()
    of: str = ""


@dataclass(frozen=True)
class Member(Syntax):
    """A component, with the position written after it if there is one."""

    component: Component
    at: Place | None = None


Item = Name | Member


@dataclass(frozen=True)
class Group(Syntax):
    """Senders, receivers or the heads of an argument: ``{ name_mover 9.6 }.kv at S2``.

    ``inputs`` holds letters of "qkv" in that order, unless they are not inputs at all; then it is as written.
    ``of_group``: the heads stand for all that share their keys and values, ``17.3.k of group``.
    """

    items: tuple[Item, ...]
    inputs: str = ""
    at: Place | None = None
    of_group: bool = False


@dataclass(frozen=True)
class Logits(Syntax):
    """The receiver ``logits``."""


# --- claims ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AtLeast(Syntax):
    """``>= 95%``, and the same for ``<=``, ``>`` and ``<``."""

    op: Literal[">=", "<=", ">", "<"]
    value: Number


@dataclass(frozen=True)
class Between(Syntax):
    """``in 3.0 .. 4.5``."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Outside(Syntax):
    """``outside -1% .. 1%``."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Direction(Syntax):
    """``raises`` or ``lowers``."""

    word: Literal["raises", "lowers"]


@dataclass(frozen=True)
class Against(Syntax):
    """``> random heads``, ``> sham``."""

    op: Literal[">=", "<=", ">", "<"]
    control: Words


Judgement = AtLeast | Between | Outside | Direction | Against


@dataclass(frozen=True)
class Arrow(Syntax):
    """``left -> right`` among arguments."""

    left: Operand
    right: Operand


@dataclass(frozen=True)
class Alike(Syntax):
    """``left ~ right`` among arguments."""

    left: Operand
    right: Operand


Operand = Words | Place | Group | Logits
"""``Place`` only with an offset: a bare position is ``Words``, as is a bare role."""


@dataclass(frozen=True)
class ReadAt(Syntax):
    """``at A2`` among arguments: after which token the output is read."""

    place: Place

    @property
    def text(self) -> str:
        return f"at {self.place.name}{self.place.offset:+d}" if self.place.offset else f"at {self.place.name}"


Argument = Operand | Arrow | Alike | Number | ReadAt


@dataclass(frozen=True)
class Expect(Syntax):
    """``expect measure(arguments) - baseline judgement``."""

    measure: Name
    arguments: tuple[Argument, ...]
    judgement: Judgement
    minus_baseline: bool = False
    label: Name | None = None


@dataclass(frozen=True)
class Edge(Syntax):
    """``edge senders -> receiver against counterfactual : strict, judgement``; ``absent`` for ``no edge``."""

    senders: Group
    receiver: Group | Logits
    judgement: Judgement | None = None
    absent: bool = False
    strict: bool = False
    label: Name | None = None
    against: Name | None = None


# --- statements and blocks -------------------------------------------------------------------------


@dataclass(frozen=True)
class Use(Syntax):
    path: Text


@dataclass(frozen=True)
class About(Syntax):
    text: Text


@dataclass(frozen=True)
class Cite(Syntax):
    text: Text


@dataclass(frozen=True)
class Model(Syntax):
    """``quoted`` if the name stands in quotes, as a folder's does."""

    name: Name
    quoted: bool = False


@dataclass(frozen=True)
class TaskArgument(Syntax):
    key: Name | None
    value: Text | Number | Name


@dataclass(frozen=True)
class Task(Syntax):
    name: Name
    arguments: tuple[TaskArgument, ...] = ()


@dataclass(frozen=True)
class Dictionary(Syntax):
    """``dictionary a1 at attn_out 1 from "saes/mini/attn1"``."""

    name: Name
    point: Name
    layer: int
    folder: Text


@dataclass(frozen=True)
class ControlTask(Syntax):
    """``control task induction : in -10% .. 10%``."""

    task: Task
    judgement: AtLeast | Between | None = None
    label: Name | None = None


StatedClaim = Edge | Expect | ControlTask
"""What makes claims and may have a label, ``as moves``."""


@dataclass(frozen=True)
class Called(Syntax):
    """A metric with what stands in its parentheses: ``hit(10)``, ``logit_diff(against max, at A2)``."""

    measure: Words
    arguments: tuple[Words | Number | ReadAt, ...]

    @property
    def text(self) -> str:
        inside = ", ".join(argument.text for argument in self.arguments)
        return f"{self.measure.text}({inside})" if inside else self.measure.text


@dataclass(frozen=True)
class Setting(Syntax):
    """A setting other than ``vary``. ``prompts`` may have two values; all others have one."""

    name: Name
    values: tuple[Words | Called | Number, ...]


@dataclass(frozen=True)
class Vary(Syntax):
    """``vary ablate: zero, resample``."""

    name: Name
    values: tuple[Words | Called, ...]


@dataclass(frozen=True)
class Method(Syntax):
    settings: tuple[Setting | Vary, ...]


RoleItem = Member | Cite | Expect


@dataclass(frozen=True)
class Role(Syntax):
    name: Name
    at: Place | None
    body: tuple[RoleItem, ...]


@dataclass(frozen=True)
class Repeat(Syntax):
    """``for n in 0 .. 2 { ... }``: its statements once for each number, both ends among them."""

    variable: Name
    low: Number
    high: Number
    body: tuple[Role | Edge | Expect | Repeat, ...]


Statement = About | Cite | Model | Task | Dictionary | Method | Role | Edge | Expect | ControlTask | Repeat


@dataclass(frozen=True)
class Circuit(Syntax):
    name: Name
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Align(Syntax):
    pairs: tuple[tuple[Name, Name], ...]


@dataclass(frozen=True)
class Comparison(Syntax):
    left: Name
    right: Name
    body: tuple[About | Cite | Align | Expect, ...]


@dataclass(frozen=True)
class Target(Syntax):
    """``IO by 70%``; ``IO evenly`` is ``IO by 100%``."""

    place: Place
    share: Number


Piece = Number | Name | Words | Place | Target
"""What may follow the nodes of an action."""


@dataclass(frozen=True)
class Action(Syntax):
    """``scale 9.6 by 0.5``: the word that an action begins with, what it is done to, and what follows.

    ``parts`` holds the pieces that follow in their order, without the words between them.
    """

    word: str
    nodes: Group
    parts: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Intervention(Syntax):
    name: Name
    on: Name
    body: tuple[About | Cite | Action | Expect, ...]


Block = Use | Circuit | Comparison | Intervention


@dataclass(frozen=True)
class File(Syntax):
    """A whole specification file."""

    blocks: tuple[Block, ...]
