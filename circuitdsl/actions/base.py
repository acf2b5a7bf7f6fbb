"""What every action of an intervention knows: its spelling, its checks, what it takes, and what it writes.

An action is a class, one file each; the registry (``actions.actions``) finds them among the entry points of the group
``circuitdsl.actions``. Actions are frozen dataclasses that hash by value. Importing this needs no torch: what is
written is told by functions of tensors that are handed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, Protocol, Self, get_args

from circuitdsl.components import Geometry, Node, Position

if TYPE_CHECKING:
    from torch import Tensor

Ablation = Literal["zero", "mean", "mean by template", "resample", "counterfactual"]
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)


# --- what replaced outputs are taken from ------------------------------------------------------------


@dataclass(frozen=True)
class ByAblation:
    """What the ablation puts there; None: the way of ablating that the method says."""

    ablation: Ablation | None


@dataclass(frozen=True)
class ByCounterfactual:
    """The output on the prompt's counterfactual of this name."""

    counterfactual: str


@dataclass(frozen=True)
class ByCleanRun:
    """The output in the clean run."""


Taken = ByAblation | ByCounterfactual | ByCleanRun


# --- how it is read ----------------------------------------------------------------------------------


class Written(Protocol):
    """An action as it stands in a specification: what it is done to, and the other parts of its spelling in order.

    A part is a piece of the syntax tree (``language.tree``): a Number, a Name, Words, a Place or a Target.
    """

    @property
    def nodes(self) -> Any: ...

    @property
    def parts(self) -> tuple[Any, ...]: ...

    @property
    def span(self) -> Any: ...


class Reading(Protocol):
    """What an action's checks are given: names are looked up, and what is wrong is reported with its place.

    Each look-up gives None after it has reported what is wrong.
    """

    def nodes(self, group: Any) -> tuple[Node, ...] | None: ...

    def position(self, place: Any) -> Position | None: ...

    def counterfactual(self, name: Any) -> str | None: ...

    def is_many(self, position: Position) -> bool:
        """Whether a prompt may have several tokens there; False where the task is unknown."""
        ...

    def report(self, code: str, message: str, span: Any, remedy: str = "", *notes: str) -> None: ...

    def unknown(self, code: str, message: str, part: Any, known: Iterable[str], what: str) -> None:
        """Report a word that is none of the known ones, with the nearest of them."""
        ...


# --- how it is done ----------------------------------------------------------------------------------


class Write(NamedTuple):
    """At a hook point, what passes becomes ``new`` of it where ``mask`` is true; both broadcast to its shape."""

    hook_point: str
    mask: Tensor
    new: Callable[[Tensor], Tensor]


class Run(Protocol):
    """A batch of prompts in the plain engine, as far as an action needs it. All of it raises CannotMeasure."""

    @property
    def geometry(self) -> Geometry: ...

    def outputs(self, nodes: Iterable[Node]) -> Mapping[str, Tensor]:
        """Where the nodes' outputs stand, by hook point."""
        ...

    def patterns(self, nodes: Iterable[Node]) -> Mapping[str, Tensor]:
        """Where the rows of the nodes' attention patterns stand, by hook point: [prompts, heads, queries, 1]."""
        ...

    def mask(self, position: Position) -> Tensor:
        """True on the tokens of a position, [prompts, tokens]."""
        ...

    def taken(self, names: Iterable[str]) -> Mapping[str, Tensor]:
        """What the action takes at these hook points, each broadcasting to what passes there."""
        ...

    def require_causal(self, query: Position, key: Position) -> None:
        """Refuse if a token of the key comes after one of the query."""
        ...

    def refuse(self, reason: str) -> NoReturn:
        """Raise CannotMeasure."""
        ...


@dataclass(frozen=True)
class Action(ABC):
    """One thing that an intervention does to ``nodes``; ``text`` is how the specification writes it.

    Class attributes say of the whole kind:

    * ``word``: the word that it begins with, and the name of its rule, under the grammar's rule ``action``;
    * ``grammar``: lines of grammar that an installed package adds (``%extend action: negate``, that rule, which begins
      with ``_NEGATE group``, and the terminals of its words, ``_NEGATE.2: /negate\\b/``), "" for the actions of
      grammar/circuit.lark;
    * ``of_pattern``: whether it sets what heads attend to, where others change outputs.
    """

    word: ClassVar[str]
    grammar: ClassVar[str] = ""
    of_pattern: ClassVar[bool] = False

    nodes: tuple[Node, ...]
    text: str = field(default="", kw_only=True)

    @classmethod
    @abstractmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        """The action that is written so, or None after saying what is wrong with it."""

    @classmethod
    @abstractmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str | None:
        """What follows the nodes, as it is written; ``part_text`` spells a part. None where nothing ever follows."""

    @property
    def takes(self) -> Taken | None:
        """Where it takes outputs from; None if it needs none."""
        return None

    @property
    def keys(self) -> tuple[Position, ...]:
        """The positions that it makes heads attend to."""
        return ()

    @abstractmethod
    def writes(self, run: Run) -> Iterable[Write]:
        """What it writes in the plain engine. Raises CannotMeasure."""


def replacing(action: Action, run: Run) -> list[Write]:
    """Outputs become what the action takes."""
    where = run.outputs(action.nodes)
    values = run.taken(where)
    return [Write(name, mask, _always(values[name])) for name, mask in where.items()]


def _always(values: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda activation: values
