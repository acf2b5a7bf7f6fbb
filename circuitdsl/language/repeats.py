"""``for n in 0 .. 2 { ... }`` -> the statements that it stands for, once for each number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

from circuitdsl.language import tree as t
from circuitdsl.language.diagnostics import Collector

MOST_STATEMENTS = 2_000
"""As many statements the repeats of one circuit stand for at most."""

MOST_DIGITS = 9

_IN_BRACKETS = re.compile(r"\[([A-Za-z_][A-Za-z0-9_]*)([+-][0-9]+)?\]")

Node = TypeVar("Node", bound=t.Syntax)


def unrolled(block: t.Circuit, collector: Collector) -> t.Circuit:
    """The circuit without repeats; what is wrong with one is reported, and it is left out."""
    if not any(isinstance(statement, t.Repeat) for statement in block.body):
        return block
    return replace(block, body=tuple(_Unrolling(collector).of(block.body, {})))


@dataclass
class _Unrolling:
    """The repeats of one circuit; ``made`` counts the statements that they came to so far."""

    collector: Collector
    made: int = 0
    faulty: bool = False  # whether anything was reported of the statement at hand
    wrong: set[object] = field(default_factory=set[object])  # what has been reported: a body is read more than once

    def of(self, body: Sequence[t.Statement], values: Mapping[str, int]) -> Iterator[t.Statement]:
        for statement in body:
            if isinstance(statement, t.Repeat):
                yield from self._repeat(statement, values)
            elif values:
                self.made += 1
                self.faulty = False
                put = self._put(statement, values)
                if not self.faulty:
                    yield put
            else:
                yield statement

    def _repeat(self, repeat: t.Repeat, values: Mapping[str, int]) -> Iterator[t.Statement]:
        if self._is_wrong(repeat, values):
            return
        for value in range(int(repeat.low.text), int(repeat.high.text) + 1):
            self.made += 1
            if self.made > MOST_STATEMENTS:
                message = f"the repeats of this circuit stand for more than {MOST_STATEMENTS:,} statements"
                self._report(message, repeat.variable, "write a shorter range")
                return
            yield from self.of(repeat.body, {**values, repeat.variable.text: value})

    def _is_wrong(self, repeat: t.Repeat, values: Mapping[str, int]) -> bool:
        """Whether a repeat stands for nothing that can be meant; says so."""
        name, low, high = repeat.variable.text, repeat.low.text, repeat.high.text
        if max(len(low), len(high)) > MOST_DIGITS:
            self._report("a number with so many digits is a slip", repeat.low, "write it shorter")
        elif int(low) > int(high):
            self._report(f"the range {low} .. {high} is empty", repeat.low, f"write `for {name} in {high} .. {low}`")
        elif name in values or "[" in name:
            self._report(f"`{name}` cannot be the variable here", repeat.variable, "choose another name: `m`")
        else:
            idle = self._idle(repeat, (*values, name))
            for statement, variable in idle:
                message = f"what is said here is the same for every {variable}"
                self._report(message, statement, f"name something with `[{variable}]` in it, or say it outside")
            return bool(idle)
        return True

    def _idle(self, repeat: t.Repeat, variables: Sequence[str]) -> list[tuple[t.Syntax, str]]:
        """Statements that do not name a variable, each with one that it does not name."""
        single = (statement for statement in repeat.body if not isinstance(statement, t.Repeat))
        missing = ((each, [name for name in variables if not _names(each, name)]) for each in single)
        return [(each, names[0]) for each, names in missing if names]

    def _put(self, node: Node, values: Mapping[str, int]) -> Node:
        """A statement with numbers in place of variables."""
        return replace(node, **{name: self._with(value, node, values) for name, value in _parts(node)})

    def _with(self, value: Any, node: t.Syntax, values: Mapping[str, int]) -> Any:
        if isinstance(value, t.Syntax):
            return self._put(value, values)
        if isinstance(value, tuple):
            return tuple(self._with(each, node, values) for each in cast(tuple[Any, ...], value))
        return self._text(value, node, values) if isinstance(value, str) and "[" in value else value

    def _text(self, text: str, node: t.Syntax, values: Mapping[str, int]) -> str:
        def number(found: re.Match[str]) -> str:
            name, offset = found.group(1), int(found.group(2) or 0)
            if name not in values:
                self._report(f"`{name}` is the variable of no `for` here", node, f"variables: {_listed(values)}")
                return found.group(0)
            if values[name] + offset < 0:
                self._report(f"`{text}` is below zero where {name} is {values[name]}", node, "begin the range later")
            return str(values[name] + offset)

        return _IN_BRACKETS.sub(number, text)

    def _report(self, message: str, node: t.Syntax, remedy: str) -> None:
        self.faulty = True
        if (message, node.span) not in self.wrong:
            self.wrong.add((message, node.span))
            self.collector.add("C219", message, node.span, remedy)


def _parts(node: t.Syntax) -> Iterator[tuple[str, Any]]:
    """What a part of the tree is made of, by name; quoted text is the author's, and has no variables."""
    if not isinstance(node, t.Text):
        yield from ((each.name, getattr(node, each.name)) for each in fields(node) if each.name != "span")


def _names(value: Any, variable: str) -> bool:
    """Whether a variable stands in a name somewhere."""
    if isinstance(value, str):
        return any(found.group(1) == variable for found in _IN_BRACKETS.finditer(value))
    if isinstance(value, t.Syntax):
        return any(_names(part, variable) for _, part in _parts(value))
    return isinstance(value, tuple) and any(_names(each, variable) for each in cast(tuple[Any, ...], value))


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"`{name}`" for name in values)
