"""What a specification is resolved against: the model's geometry, the task's positions, the registry.

The language knows these only by the descriptions below. Tasks, models and measures stand after it in
the flow of data and hand it their descriptions, so that resolving imports none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from circuitdsl.components import END, Geometry
from circuitdsl.errors import InputError

ParameterKind = Literal[
    "heads",  # a role, several roles, or heads with positions
    "path",  # senders -> receiver.input, or senders -> logits
    "position",  # one position of the task
    "attends",  # position -> position
    "token",  # the token at a position, or `answer`
    "reads",  # position, or position -> token: where a head's OV reads and the token it should write
    "count",  # how many: a whole number, 1 or more
    "variable",  # one of the task's variables
    "elements",  # compare only: heads | nodes | roles | edges, or `role ~ role`
    "circuits",  # compare only: circuit, circuit
    "direction",  # compare only: circuit -> circuit
]

Unit = Literal["share", "logits", "nats", "metric", "score"]
"""``share`` is written with a per cent sign and kept as a fraction; the others are plain numbers."""

Place = Literal["circuit", "compare", "intervention"]


PROPORTION = (0.0, 1.0)
NOT_NEGATIVE = (0.0, math.inf)
"""Limits that many measurements have."""

RANDOM_HEADS = "random heads"
"""The control that draws other heads of the same layers. In an intervention also an option of outputs: the mean of what
the same done to random heads gives."""
RANDOM_EDGES = "random edges"
SHAM = "sham"
CHANCE = "chance"
CONTROL_TASK = "control task"
"""The other controls (``language.controls`` says what each of them tests)."""


@dataclass(frozen=True)
class PositionInfo:
    """A named position of a task; ``many`` if a prompt may give it several tokens."""

    name: str
    about: str
    many: bool = False


BOS = "BOS"
"""The position of the token that a tokenizer puts before a text. Every task has it under `bos yes`."""


@dataclass(frozen=True)
class VariableInfo:
    """A variable of a task: something of a prompt by which a model may find the answer, such as where a name stands.

    On ``counterfactual`` it has another value, and each prompt says what the answer after the position ``at`` would be
    if it alone had that one.
    """

    name: str
    about: str
    counterfactual: str
    at: str = END.name


@dataclass(frozen=True)
class AnswersInfo:
    """A position of a task besides END whose prompts say what may follow it; ``wrong`` and ``choice`` as in
    :class:`TaskInfo`."""

    position: str
    about: str
    wrong: bool = True
    choice: bool = True


@dataclass(frozen=True)
class TaskInfo:
    """What a task offers to a specification, known without a tokenizer or a model."""

    name: str
    about: str
    positions: tuple[PositionInfo, ...]
    counterfactuals: tuple[tuple[str, str], ...]  # (name, about)
    default_counterfactual: str | None
    templates: int
    lines: tuple[int, ...] = ()  # prompts of each template; () where a task writes as many as are asked for
    variables: tuple[VariableInfo, ...] = ()
    listed: int = 0  # how many prompts there are in all, at most (a vocabulary may lack some); 0: they cannot be listed
    wrong: bool = True  # whether its prompts say which answers are wrong
    choice: bool = True  # whether they allow more answers than the right ones
    elsewhere: tuple[AnswersInfo, ...] = ()  # the positions besides END whose answers they give

    def answers_at(self, position: str) -> AnswersInfo | None:
        """What is known of the answers after a position; None if its prompts give none there."""
        at_end = AnswersInfo(END.name, "the last token", self.wrong, self.choice)
        return next((each for each in (at_end, *self.elsewhere) if each.position == position), None)


@dataclass(frozen=True)
class Layout:
    """A prompt of ``length`` tokens and the token indices of its positions, END among them; without a BOS token.

    ``read`` is the position after which the output is read.
    """

    length: int
    positions: Mapping[str, tuple[int, ...]]
    read: str = "END"

    def after_bos(self) -> Layout:
        """The same prompt with a BOS token before it."""
        moved = {name: tuple(index + 1 for index in found) for name, found in self.positions.items()}
        return replace(self, length=self.length + 1, positions={BOS: (0,)} | moved)


@dataclass(frozen=True)
class Parameter:
    """One typed parameter of a measurement."""

    name: str
    kind: ParameterKind
    about: str
    required: bool = True
    only_heads: bool = False  # kind "heads": what is measured is measured of attention heads, not of MLPs


@dataclass(frozen=True)
class MeasureInfo:
    """One entry of the registry of measurements, as the language and ``explain`` see it."""

    name: str
    unit: Unit
    about: str  # the definition, a sentence or several
    source: str  # where the definition comes from
    parameters: tuple[Parameter, ...] = ()
    options: tuple[tuple[str, str], ...] = ()  # (option as written, about), e.g. ("among options", "...")
    alternatives: tuple[str, ...] = ()  # options of which one at most can be given
    places: tuple[Place, ...] = ("circuit", "intervention")
    of_circuits: tuple[str, ...] = ()  # options and controls that have no meaning in an intervention
    controls: tuple[str, ...] = ()  # controls it can be compared with: "random heads", "chance"
    exceeded: tuple[str, ...] = ()  # controls with `>` alone: that it is no more than these is shown by no test
    limits: tuple[float, float] = (-math.inf, math.inf)  # the least and the greatest value that it can have
    of_whole: bool = False  # of the circuit as a whole, which has to list nodes or state edges
    output: bool = False  # of what the model says, so that an intervention on random heads has it as well
    of_metric: bool = False  # of the method's metric, which may be read elsewhere for one claim
    from_clean: bool = False  # in an intervention a figure of what it changes, so that `- baseline` takes nothing away

    def controls_in(self, place: Place) -> tuple[str, ...]:
        """The controls that it can be compared with in a kind of block."""
        own = tuple(name for name in self.controls if place != "intervention" or name not in self.of_circuits)
        return tuple(dict.fromkeys((*own, RANDOM_HEADS))) if self._has_random_heads(place) else own

    def options_in(self, place: Place) -> tuple[str, ...]:
        """The options that it can have in a kind of block."""
        own = tuple(option for option, _ in self.options)
        return (*own, RANDOM_HEADS) if self._has_random_heads(place) else own

    @property
    def placed(self) -> bool:
        """Whether a claim may say where the output is read: ``logit_diff(at A2)``."""
        return self.output or self.of_metric

    def _has_random_heads(self, place: Place) -> bool:
        return self.output and place == "intervention"


def values_text(limits: tuple[float, float], unit: Unit) -> str:
    """The values between a least and a greatest one, in words; "" for any number.

    >>> values_text(PROPORTION, "share"), values_text(NOT_NEGATIVE, "metric")
    ('0% to 100%', 'at least 0')
    """
    low, high = (f"{limit * 100:g}%" if unit == "share" else f"{limit:g}" for limit in limits)
    if math.isinf(limits[1]):
        return "" if math.isinf(limits[0]) else f"at least {low}"
    return f"{low} to {high}"


@dataclass(frozen=True)
class LineFault:
    """A line of a file of prompts that cannot be used: what is wrong with it, and what would make it usable."""

    file: str
    line: int
    message: str
    remedy: str


class UnknownName(InputError):
    """A model or task that cannot be described; ``known`` feeds did-you-mean and the remedy.

    ``notes`` are further things that are wrong with it, each a line of its own. ``faults`` are all lines of its file
    that cannot be used, where that is what is wrong, and ``usable`` is how many lines can.
    """

    def __init__(
        self,
        message: str,
        known: tuple[str, ...] = (),
        remedy: str = "",
        notes: tuple[str, ...] = (),
        faults: tuple[LineFault, ...] = (),
        usable: int = 0,
    ):
        super().__init__(message, remedy)
        self.known = known
        self.notes = notes
        self.faults = faults
        self.usable = usable

    def __str__(self) -> str:
        return "\n".join((self.message, *self.notes, *([f"help: {self.remedy}"] if self.remedy else [])))


@dataclass(frozen=True)
class TaskRef:
    """A task as a specification names it.

    ``arguments`` holds a positional argument under ``""`` (``file("my.jsonl")``) and named ones (``shots: 0``)
    under their names; ``folder`` is that of the spec file, from which relative file names count, if an argument is a
    text and may be one.

    >>> str(TaskRef("colored_objects", (("shots", 0),))), str(TaskRef("file", (("", "my.jsonl"), ("skip", "yes"))))
    ('colored_objects(shots: 0)', 'file("my.jsonl", skip: yes)')
    """

    name: str
    arguments: tuple[tuple[str, str | float], ...] = ()
    folder: str = "."

    def __str__(self) -> str:
        written = ", ".join((f"{key}: " if key else "") + _argument_text(key, value) for key, value in self.arguments)
        return f"{self.name}({written})" if written else self.name


def _argument_text(key: str, value: str | float) -> str:
    """A word that has a name stands without quotes, as it may in a specification."""
    if not isinstance(value, str):
        return f"{value:g}"
    return value if key and value.isascii() and value.isidentifier() else f'"{value}"'


@dataclass(frozen=True)
class DictionaryInfo:
    """What a dictionary's folder says of it, known without torch.

    It has ``n_features`` and reads and writes ``width`` numbers a token. ``trained_at`` are the hook points that it
    records, of what it reads and of what it writes, "" where it records none.
    """

    n_features: int
    width: int
    fingerprint: str
    transcoder: bool
    folder: str
    trained_at: tuple[str, str] = ("", "")


def _no_dictionary(path: str, folder: str) -> DictionaryInfo:
    raise UnknownName(f"there is no dictionary {path}")


@dataclass(frozen=True)
class Environment:
    """The look-ups that resolving needs; ``geometry``, ``task`` and ``dictionary`` raise :class:`UnknownName`.

    ``model`` gives the name by which everybody else knows the model that a file in a folder names.
    ``dictionary`` describes the one at a path that counts from a folder.
    ``layouts`` gives where the tokens of a task's prompts stand, as far as their texts tell, () where nothing does. It
    is asked only of tasks that are known.
    """

    geometry: Callable[[str], Geometry]
    task: Callable[[TaskRef], TaskInfo]
    measures: Mapping[str, MeasureInfo]
    model: Callable[[str, str], str] = lambda name, folder: name
    layouts: Callable[[TaskRef], Sequence[Layout]] = lambda task: ()
    dictionary: Callable[[str, str], DictionaryInfo] = _no_dictionary
