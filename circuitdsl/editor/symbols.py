"""Every name in a syntax tree: what it names, whose that is, where it stands, and whether it is defined there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import AGAINST_MAX
from circuitdsl.language.source import Span

Kind = Literal[
    "circuit",
    "intervention",
    "role",
    "dictionary",
    "position",
    "counterfactual",
    "task",
    "model",
    "measure",
    "setting",
    "control",
    "file",
]


@dataclass(frozen=True)
class Symbol:
    """What a name names. ``owner`` is the circuit whose role, position, dictionary or counterfactual it is, or ""."""

    kind: Kind
    name: str
    owner: str = ""


@dataclass(frozen=True)
class Occurrence:
    """A name in a text, and whether it is defined there."""

    symbol: Symbol
    span: Span
    defines: bool = False


def occurrences(file: t.File) -> Iterator[Occurrence]:
    """All names of a file, in no particular order."""
    for block in file.blocks:
        match block:
            case t.Use():
                yield Occurrence(Symbol("file", block.path.value), block.path.span)
            case t.Circuit():
                yield Occurrence(Symbol("circuit", block.name.text), block.name.span, defines=True)
                yield from _Names(block.name.text, frozenset(role_names(block.body))).statements(block.body)
            case t.Comparison():
                yield from _comparison(block)
            case t.Intervention():
                yield Occurrence(Symbol("intervention", block.name.text), block.name.span, defines=True)
                yield Occurrence(Symbol("circuit", block.on.text), block.on.span)
                yield from _intervention(block)


def role_names(body: Iterable[object]) -> Iterator[str]:
    """The roles that a circuit's statements define, those in repeats among them."""
    for statement in body:
        if isinstance(statement, t.Role):
            yield statement.name.text
        elif isinstance(statement, t.Repeat):
            yield from role_names(statement.body)


@dataclass(frozen=True)
class _Names:
    """The names in statements that are about one circuit. ``roles`` is empty where they cannot be told from positions
    here; then a single word may be either."""

    owner: str
    roles: frozenset[str] = frozenset()

    def statements(self, body: Iterable[t.Statement]) -> Iterator[Occurrence]:
        for statement in body:
            match statement:
                case t.Model():
                    yield Occurrence(Symbol("model", statement.name.text), statement.name.span)
                case t.Task():
                    yield from self.task(statement)
                case t.ControlTask():
                    yield from self.task(statement.task)
                case t.Dictionary():
                    yield Occurrence(Symbol("dictionary", statement.name.text, self.owner), statement.name.span, True)
                case t.Method():
                    yield from self.settings(statement)
                case t.Role():
                    yield self.role(statement.name, defines=True)
                    yield from self.place(statement.at)
                    for item in statement.body:
                        yield from self.item(item)
                case t.Edge():
                    yield from self.group(statement.senders)
                    if isinstance(statement.receiver, t.Group):
                        yield from self.group(statement.receiver)
                    if statement.against:
                        yield Occurrence(
                            Symbol("counterfactual", statement.against.text, self.owner), statement.against.span
                        )
                case t.Expect():
                    yield from self.expect(statement)
                case t.Repeat():
                    yield from self.statements(statement.body)
                case t.About() | t.Cite():
                    pass

    def task(self, task: t.Task) -> Iterator[Occurrence]:
        yield Occurrence(Symbol("task", task.name.text), task.name.span)
        for argument in task.arguments:
            if argument.key is None and isinstance(argument.value, t.Text):  # such as file("my.jsonl")
                yield Occurrence(Symbol("file", argument.value.value), argument.value.span)

    def settings(self, method: t.Method) -> Iterator[Occurrence]:
        for setting in method.settings:
            yield Occurrence(Symbol("setting", setting.name.text), setting.name.span)
            for value in setting.values:
                if setting.name.text == "against" and isinstance(value, t.Words):
                    yield Occurrence(Symbol("counterfactual", value.text, self.owner), value.span)
                yield from self.metric(value)

    def metric(self, value: t.Words | t.Called | t.Number) -> Iterator[Occurrence]:
        """Where a metric is read."""
        for argument in value.arguments if isinstance(value, t.Called) else ():
            if isinstance(argument, t.ReadAt):
                yield from self.place(argument.place)

    def expect(self, expect: t.Expect) -> Iterator[Occurrence]:
        yield Occurrence(Symbol("measure", expect.measure.text), expect.measure.span)
        for argument in expect.arguments:
            yield from self.argument(argument)
        if isinstance(expect.judgement, t.Against):
            yield Occurrence(Symbol("control", expect.judgement.control.text), expect.judgement.control.span)

    def argument(self, argument: t.Argument) -> Iterator[Occurrence]:
        match argument:
            case t.Words(("against", name)) if argument.text != AGAINST_MAX:  # of an effect
                span = replace(argument.span, line=argument.span.end_line, column=argument.span.end_column - len(name))
                yield Occurrence(Symbol("counterfactual", name, self.owner), span)
            case t.Words():
                kind: Kind = "role" if argument.text in self.roles else "position"
                yield Occurrence(Symbol(kind, argument.text, self.owner), argument.span)
            case t.Place():
                yield from self.place(argument)
            case t.Group():
                yield from self.group(argument)
            case t.Arrow() | t.Alike():
                yield from self.argument(argument.left)
                yield from self.argument(argument.right)
            case t.ReadAt():
                yield from self.place(argument.place)
            case t.Logits() | t.Number():
                pass

    def group(self, group: t.Group) -> Iterator[Occurrence]:
        for item in group.items:
            yield from self.item(item)
        yield from self.place(group.at)

    def item(self, item: t.Item | t.RoleItem) -> Iterator[Occurrence]:
        match item:
            case t.Name():
                yield self.role(item)
            case t.Member():
                if item.component.of:
                    yield Occurrence(Symbol("dictionary", item.component.of, self.owner), item.component.span)
                yield from self.place(item.at)
            case t.Expect():
                yield from self.expect(item)
            case t.Cite():
                pass

    def role(self, name: t.Name, defines: bool = False) -> Occurrence:
        return Occurrence(Symbol("role", name.text, self.owner), name.span, defines)

    def place(self, place: t.Place | None) -> Iterator[Occurrence]:
        if place:
            yield Occurrence(Symbol("position", place.name, self.owner), place.span)


def _comparison(block: t.Comparison) -> Iterator[Occurrence]:
    both = (block.left.text, block.right.text)
    yield Occurrence(Symbol("circuit", both[0]), block.left.span)
    yield Occurrence(Symbol("circuit", both[1]), block.right.span)
    for statement in block.body:
        if isinstance(statement, t.Align):
            for pair in statement.pairs:
                for owner, name in zip(both, pair, strict=True):
                    yield _Names(owner).role(name)
        if isinstance(statement, t.Expect):
            yield Occurrence(Symbol("measure", statement.measure.text), statement.measure.span)
            for argument in statement.arguments:
                yield from _compared(argument, both)


def _compared(argument: t.Argument, both: tuple[str, str]) -> Iterator[Occurrence]:
    """The names in an argument of a comparison: circuits, or roles of the left one and of the right one."""
    match argument:
        case t.Words() if argument.text in both:
            yield Occurrence(Symbol("circuit", argument.text), argument.span)
        case t.Alike():
            for owner, side in zip(both, (argument.left, argument.right), strict=True):
                if isinstance(side, t.Words):
                    yield Occurrence(Symbol("role", side.text, owner), side.span)
        case t.Arrow():
            yield from _compared(argument.left, both)
            yield from _compared(argument.right, both)
        case _:
            pass


def _intervention(block: t.Intervention) -> Iterator[Occurrence]:
    names = _Names(block.on.text)
    for statement in block.body:
        if isinstance(statement, t.Action):
            yield from names.group(statement.nodes)
            for part in statement.parts:
                match part:
                    case t.Place():
                        yield from names.place(part)
                    case t.Target():
                        yield from names.place(part.place)
                    case t.Name():
                        yield Occurrence(Symbol("counterfactual", part.text, block.on.text), part.span)
                    case t.Words() | t.Number():
                        pass
        if isinstance(statement, t.Expect):
            yield from names.expect(statement)
