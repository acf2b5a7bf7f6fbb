"""Lark's parse tree -> the syntax tree. One method for each rule of the grammar, under the rule's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lark import Token, Transformer

from circuitdsl.actions import actions
from circuitdsl.actions.attend import WHOLE
from circuitdsl.components import ErrorTerm, OfDictionary, kinds
from circuitdsl.language import tree as t
from circuitdsl.language.diagnostics import Collector
from circuitdsl.language.source import Span
from circuitdsl.language.typed_lark import with_meta

MOST_DIGITS = 9


@with_meta
class Builder(Transformer[Token, t.File]):
    """Builds the tree of one file. Numbers of absurd length are reported to ``collector`` and read as 0."""

    def __init__(self, path: str, collector: Collector):
        super().__init__()
        self._path = path
        self._collector = collector
        # Lark looks a rule's method up for every tree and wraps it each time: what is bound here it finds wrapped.
        vars(self).update({rule: getattr(self, rule) for rule in vars(type(self)) if not rule.startswith("_")})

    # --- places and words --------------------------------------------------------------------------

    def _span(self, meta: Any) -> Span:
        if getattr(meta, "line", None) is None:  # an empty file has no place
            return Span(self._path, 1, 1, 1, 1)
        return Span(self._path, meta.line, meta.column, meta.end_line, meta.end_column)

    def _name(self, token: Token) -> t.Name:
        return t.Name(str(token), span=self._span(token))

    def _text(self, token: Token) -> t.Text:
        return t.Text(_unescaped(token[1:-1]), span=self._span(token))

    def _number(self, token: Token) -> t.Number:
        return t.Number("".join(token.split()), span=self._span(token))

    def _integer(self, digits: str, token: Token) -> int:
        if len(digits) <= MOST_DIGITS:
            return int(digits)
        self._collector.add("C105", "a number with so many digits is a slip", self._span(token), "write it shorter")
        return 0

    def position(self, meta: Any, children: list[Any]) -> t.Place:
        name, offset = children
        return t.Place(str(name), self._offset(offset), span=self._span(meta))

    def _offset(self, token: Token | None) -> int:
        if token is None:
            return 0
        digits = self._integer(token[1:].strip(), token)
        return -digits if token[0] == "-" else digits

    def words(self, meta: Any, children: list[Token]) -> t.Words:
        return t.Words(tuple(str(child) for child in children), span=self._span(meta))

    # --- components and groups ---------------------------------------------------------------------

    def component(self, meta: Any, children: list[Any]) -> t.Component:
        (child,) = children
        if not isinstance(child, Token):
            return child
        if not issubclass(kinds()[child.type], OfDictionary):
            return self._component(child.type, [child], child)
        name, _, rest = child.partition(".")
        numbers = () if child.type == ErrorTerm.rule else (self._written(rest, child),)
        return t.Component(child.type, numbers, name, span=self._span(child))

    def _component(self, rule: str, tokens: list[Token | None], place: Any) -> t.Component:
        """A component from its words: the numbers of ``9.6`` stand in one of them."""
        numbers = [self._written(part, token) for token in tokens for part in (token.split(".") if token else [None])]
        return t.Component(rule, tuple(numbers), span=self._span(place))

    def _written(self, part: str | None, token: Token | None) -> int | None:
        return None if part is None or token is None or part == "*" else self._integer(part, token)

    def node(self, meta: Any, children: list[Any]) -> t.Member:
        component, place = children
        return t.Member(component, place, span=self._span(meta))

    def item(self, meta: Any, children: list[Any]) -> t.Item:
        (child,) = children
        return self._name(child) if isinstance(child, Token) else child

    def _item(self, child: Any) -> t.Item:
        if isinstance(child, Token):
            return self._name(child)
        return child if isinstance(child, t.Name | t.Member) else t.Member(child, span=child.span)

    def group(self, meta: Any, children: list[Any]) -> t.Group:
        *items, place = children
        return t.Group(tuple(self._item(item) for item in items), "", place, span=self._span(meta))

    def reading(self, meta: Any, children: list[Any]) -> t.Group:
        *items, inputs, of_group, place = children
        made = tuple(self._item(item) for item in items)
        return t.Group(made, _inputs(inputs), place, of_group is not None, span=self._span(meta))

    def logits(self, meta: Any, children: list[Any]) -> t.Logits:
        return t.Logits(span=self._span(meta))

    def receiver(self, meta: Any, children: list[Any]) -> t.Group | t.Logits:
        return children[0]

    # --- claims ------------------------------------------------------------------------------------

    def operand(self, meta: Any, children: list[Any]) -> t.Operand:
        return children[0]

    def shifted(self, meta: Any, children: list[Token]) -> t.Operand:
        name, offset = children
        moved = self._offset(offset)
        span = self._span(meta)
        return t.Place(str(name), moved, span=span) if moved else t.Words((str(name),), span=span)

    def named(self, meta: Any, children: list[Any]) -> t.Group:
        name, *rest = children
        words = {child.type: child for child in rest if isinstance(child, Token)}
        place = next((child for child in rest if isinstance(child, t.Place)), None)
        inputs = _inputs(words.get("INPUTS"))
        return t.Group((self._name(name),), inputs, place, "OF_GROUP" in words, span=self._span(meta))

    def argument(self, meta: Any, children: list[Any]) -> t.Argument:
        child = children[0]
        return child if isinstance(child, t.Arrow | t.Alike | t.Number | t.ReadAt) else _plain(child)

    def contrast(self, meta: Any, children: list[Any]) -> t.Words:
        against, words = children
        return t.Words((str(against), *words.words), span=self._span(meta))

    def count(self, meta: Any, children: list[Token]) -> t.Number:
        return self._number(children[0])

    def read_at(self, meta: Any, children: list[t.Place]) -> t.ReadAt:
        return t.ReadAt(children[0], span=self._span(meta))

    def arrow(self, meta: Any, children: list[Any]) -> t.Arrow:
        left, right = children
        return t.Arrow(_plain(left), _plain(right), span=self._span(meta))

    def alike(self, meta: Any, children: list[Any]) -> t.Alike:
        left, right = children
        return t.Alike(_plain(left), _plain(right), span=self._span(meta))

    def bound(self, meta: Any, children: list[Token]) -> t.AtLeast:
        op, value = children
        return t.AtLeast(str(op), self._number(value), span=self._span(meta))  # pyright: ignore[reportArgumentType]

    def between(self, meta: Any, children: list[Token]) -> t.Between:
        low, high = children
        return t.Between(self._number(low), self._number(high), span=self._span(meta))

    def outside(self, meta: Any, children: list[Token]) -> t.Outside:
        low, high = children
        return t.Outside(self._number(low), self._number(high), span=self._span(meta))

    def direction(self, meta: Any, children: list[Token]) -> t.Direction:
        return t.Direction(str(children[0]), span=self._span(meta))  # pyright: ignore[reportArgumentType]

    def control(self, meta: Any, children: list[Any]) -> t.Against:
        op, words = children
        return t.Against(str(op), words, span=self._span(meta))  # pyright: ignore[reportArgumentType]

    def measure(self, meta: Any, children: list[Any]) -> tuple[t.Name, tuple[t.Argument, ...]]:
        name, *arguments = children
        return self._name(name), tuple(argument for argument in arguments if argument is not None)

    def expect(self, meta: Any, children: list[Any]) -> t.Expect:
        (name, arguments), baseline, judgement, label = children
        minus = baseline is not None
        return t.Expect(name, arguments, judgement, minus, self._label(label), span=self._span(meta))

    def edge(self, meta: Any, children: list[Any]) -> t.Edge:
        _, senders, receiver, _, against, *verdict, label = children
        judgement = next((child for child in verdict if isinstance(child, t.Judgement)), None)
        strict = any(isinstance(child, Token) for child in verdict)
        said = t.Edge(senders, receiver, judgement, strict=strict, span=self._span(meta))
        return replace(said, label=self._label(label), against=self._label(against))

    def no_edge(self, meta: Any, children: list[Any]) -> t.Edge:
        _, senders, receiver, _, against, strict, label = children
        said = t.Edge(senders, receiver, absent=True, strict=strict is not None, span=self._span(meta))
        return replace(said, label=self._label(label), against=self._label(against))

    def _label(self, token: Token | None) -> t.Name | None:
        return None if token is None else self._name(token)

    # --- statements --------------------------------------------------------------------------------

    def about(self, meta: Any, children: list[Token]) -> t.About:
        return t.About(self._text(children[0]), span=self._span(meta))

    def cite(self, meta: Any, children: list[Token]) -> t.Cite:
        return t.Cite(self._text(children[0]), span=self._span(meta))

    def model(self, meta: Any, children: list[Token]) -> t.Model:
        (token,) = children
        quoted = token.type == "STRING"
        name = _unescaped(token[1:-1]) if quoted else str(token)
        return t.Model(t.Name(name, span=self._span(token)), quoted, span=self._span(meta))

    def task(self, meta: Any, children: list[Any]) -> t.Task:
        name, *arguments = children
        given = tuple(argument for argument in arguments if argument is not None)
        return t.Task(self._name(name), given, span=self._span(meta))

    def dictionary(self, meta: Any, children: list[Token]) -> t.Dictionary:
        name, point, layer, folder = children
        number = self._integer(layer, layer)
        return t.Dictionary(self._name(name), self._name(point), number, self._text(folder), span=self._span(meta))

    def control_task(self, meta: Any, children: list[Any]) -> t.ControlTask:
        task, judgement, label = children
        return t.ControlTask(task, judgement, self._label(label), span=self._span(meta))

    def task_argument(self, meta: Any, children: list[Token | None]) -> t.TaskArgument:
        key, value = children
        assert value is not None
        read = {"STRING": self._text, "NUMBER": self._number, "NAME": self._name}[value.type]
        return t.TaskArgument(None if key is None else self._name(key), read(value), span=self._span(meta))

    def method(self, meta: Any, children: list[Any]) -> t.Method:
        return t.Method(tuple(children), span=self._span(meta))

    def setting(self, meta: Any, children: list[Any]) -> t.Setting | t.Vary:
        if isinstance(children[0], t.Vary):
            return children[0]
        name, *values = children
        made = tuple(self._value(value) for value in values if value is not None)
        return t.Setting(self._name(name), made, span=self._span(meta))

    def metric(self, meta: Any, children: list[Any]) -> t.Words | t.Called:
        words, *arguments = (child for child in children if child is not None)
        return t.Called(words, tuple(arguments), span=self._span(meta)) if arguments else words

    def _value(self, child: Any) -> t.Words | t.Called | t.Number:
        if not isinstance(child, Token):
            return child
        if child.type == "NUMBER":
            return self._number(child)
        return t.Words((str(child),), span=self._span(child))

    def vary(self, meta: Any, children: list[Any]) -> t.Vary:
        name, *values = children
        return t.Vary(name, tuple(values), span=self._span(meta))

    def variable(self, meta: Any, children: list[Token]) -> t.Name:
        return self._name(children[0])

    def vary_value(self, meta: Any, children: list[Any]) -> t.Words | t.Called | t.Number:
        return self._value(children[0])

    def role(self, meta: Any, children: list[Any]) -> t.Role:
        _, name, place, *body = children
        return t.Role(self._name(name), place, tuple(body), span=self._span(meta))

    def repeat(self, meta: Any, children: list[Any]) -> t.Repeat:
        variable, low, high, *body = children
        ends = self._number(low), self._number(high)
        return t.Repeat(self._name(variable), *ends, tuple(body), span=self._span(meta))

    inner = repeat

    # --- blocks ------------------------------------------------------------------------------------

    def use(self, meta: Any, children: list[Token]) -> t.Use:
        return t.Use(self._text(children[0]), span=self._span(meta))

    def circuit(self, meta: Any, children: list[Any]) -> t.Circuit:
        name, *body = children
        return t.Circuit(self._name(name), tuple(body), span=self._span(meta))

    def pair(self, meta: Any, children: list[Token]) -> tuple[t.Name, t.Name]:
        left, right = children
        return self._name(left), self._name(right)

    def align(self, meta: Any, children: list[Any]) -> t.Align:
        return t.Align(tuple(children), span=self._span(meta))

    def comparison(self, meta: Any, children: list[Any]) -> t.Comparison:
        left, right, *body = children
        return t.Comparison(self._name(left), self._name(right), tuple(body), span=self._span(meta))

    def intervention(self, meta: Any, children: list[Any]) -> t.Intervention:
        name, on, *body = children
        return t.Intervention(self._name(name), self._name(on), tuple(body), span=self._span(meta))

    def evenly(self, meta: Any, children: list[t.Place]) -> t.Target:
        span = self._span(meta)
        return t.Target(children[0], t.Number(WHOLE, span=span), span=span)

    def target(self, meta: Any, children: list[Any]) -> t.Target:
        place, _, share = children
        return t.Target(place, self._number(share), span=self._span(meta))

    def _action(self, word: str, meta: Any, children: list[Any]) -> t.Action:
        """What an action is done to and its parts; words that only stand between them say nothing more."""
        found = [self._piece(child) for child in children]
        group, *parts = (piece for piece in found if piece is not None)
        return t.Action(word, group, tuple(parts), span=self._span(meta))

    def _piece(self, child: Any) -> Any:
        if not isinstance(child, Token):
            return child
        return self._number(child) if child.type == "NUMBER" else self._name(child) if child.type == "NAME" else None

    def __default__(self, data: Any, children: list[Any], meta: Any) -> Any:
        """The rules of component kinds and of actions, which their registries name."""
        if data in kinds():
            return self._component(str(data), children, meta)
        if data in actions():
            return self._action(str(data), meta, children)
        raise LookupError(f"the grammar's rule {data} builds nothing")

    def start(self, meta: Any, children: list[Any]) -> t.File:
        return t.File(tuple(children), span=self._span(meta))


def _unescaped(text: str) -> str:
    """A quote or a backslash after a backslash stands for itself; before anything else a backslash does."""
    parts = text.split("\\\\")
    return "\\".join(part.replace('\\"', '"') for part in parts)


def _inputs(token: Token | None) -> str:
    """The letters after the dot, in the order q, k, v if they are inputs."""
    letters = "" if token is None else token[1:]
    return "".join(letter for letter in "qkv" if letter in letters) if set(letters) <= set("qkv") else letters


def _plain(operand: t.Operand) -> t.Operand:
    """A lone name is ``Words``, with or without braces."""
    if not isinstance(operand, t.Group) or operand != t.Group(operand.items) or len(operand.items) > 1:
        return operand
    item = next(iter(operand.items))
    return t.Words((item.text,), span=operand.span) if isinstance(item, t.Name) else operand
