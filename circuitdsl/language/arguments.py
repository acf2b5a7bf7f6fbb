"""The arguments of measurements, by the kinds of their parameters: heads, paths, positions, tokens, circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from circuitdsl.components import ALL, Head, Position
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import (
    Argument,
    At,
    Circuits,
    Count,
    Elements,
    FromTo,
    Nodes,
    Reads,
    Token,
    Variable,
)
from circuitdsl.language.diagnostics import suggestion
from circuitdsl.language.environment import MeasureInfo, Parameter, ParameterKind
from circuitdsl.language.format import argument_text
from circuitdsl.language.methods import MOST_COUNT
from circuitdsl.language.paths import resolve_path
from circuitdsl.language.scope import Scope

_KINDS: Mapping[ParameterKind, str] = {
    "heads": "a role, or heads: `name_mover`, `{ 9.6 9.9 }`",
    "path": "a path: `s_inhibition -> name_mover.q`, `name_mover -> logits`",
    "position": "a position: `END`",
    "attends": "a query and a key position: `END -> IO`",
    "token": "a position whose token is meant, or `answer`",
    "reads": "a position, or a position and the token written: `IO`, `IO -> answer`",
    "count": "how many, a whole number: `10`",
    "variable": "a variable of the task: `S_position`",
    "elements": "`heads`, `nodes`, `roles`, `edges`, or a pair of roles: `name_mover ~ mover`",
    "circuits": "the two circuits: `ioi, colored_objects`",
    "direction": "from one circuit to the other: `ioi -> colored_objects`",
}
_NO_VARIABLES = "it defines none: `task ioi` has some, and prompts of your own can have them (explain file)"
_ELEMENTS = ("heads", "nodes", "roles", "edges")


@dataclass(frozen=True)
class Arguments:
    """Resolves the arguments of measurements in one block.

    ``pair`` names the two circuits of a comparison, ``sides`` holds their roles; both are empty elsewhere.
    """

    scope: Scope
    pair: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...] | None, ...] = ()

    def read(self, measure: MeasureInfo, parameter: Parameter, taken: Sequence[t.Argument]) -> Argument | None:
        """What is given for a parameter, one argument or for ``circuits`` two; None after saying what is wrong."""
        argument = taken[0]
        match parameter.kind, argument:
            case "heads", t.Words() | t.Group():
                return self._heads(argument, measure, parameter.only_heads)
            case "path", t.Arrow(left, right):
                return resolve_path(self.scope, left, right)
            case "position", t.Words() | t.Place():
                position = self._position(argument)
                return None if position is None else At(position)
            case "attends", t.Arrow():
                return self._attends(argument)
            case "token", t.Words() | t.Place():
                return self._token(argument)
            case "count", t.Number():
                return self._count(argument)
            case "variable", t.Words():
                return self._variable(argument)
            case "reads", t.Words() | t.Place():
                return self._reads(argument, argument)
            case "reads", t.Arrow(left, right):
                return self._reads(left, right)
            case "elements", t.Words() | t.Alike():
                return self._elements(argument)
            case "circuits", t.Words():
                return self._circuits(taken)
            case "direction", t.Arrow(left, right):
                return self._circuits((left, right))
            case _:
                self._misplaced(measure, parameter, argument)
                return None

    def _misplaced(self, measure: MeasureInfo, parameter: Parameter, argument: t.Argument) -> None:
        message = f"`{measure.name}` cannot have `{argument_text(argument)}` as its `{parameter.name}`"
        self.scope.report("C502", message, argument.span, f"it takes {_KINDS[parameter.kind]}")

    def _heads(self, argument: t.Words | t.Group, measure: MeasureInfo, only_heads: bool) -> Nodes | None:
        group = argument
        if isinstance(group, t.Words):
            group = t.Group((t.Name(group.text, span=group.span),), span=group.span)
        if group.inputs:
            message = f"inputs are those of a path's receiver, and `{measure.name}` has none"
            self.scope.report("C502", message, group.span, f"leave `.{group.inputs}` out")
            return None
        items = self.scope.group(group, ALL)
        if items is None:
            return None
        nodes = tuple(dict.fromkeys(node for item in items for node in item.nodes))
        label = items[0].label if len(items) == 1 else argument_text(group)
        if only_heads and nodes and not any(isinstance(node.component, Head) for node in nodes):
            message = f"`{measure.name}` is a figure of attention heads, and {label} has none"
            self.scope.report("C517", message, argument.span, "name heads, or a role that has some")
            return None
        return Nodes(label, nodes)

    def _position(self, operand: t.Operand) -> Position | None:
        match operand:
            case t.Words():
                return self.scope.position(t.Place(operand.text, span=operand.span))
            case t.Place():
                return self.scope.position(operand)
            case t.Group() | t.Logits():
                message = f"`{argument_text(operand)}` is no position, and one is needed here"
                remedy = suggestion("", self.scope.position_names, "position")
                self.scope.report("C502", message, operand.span, remedy)
                return None
            case _:
                assert_never(operand)

    def _attends(self, written: t.Arrow) -> FromTo | None:
        query, key = self._position(written.left), self._position(written.right)
        if query is None or key is None:
            return None
        self.scope.looks_at(query, key, written.span)
        return FromTo(query, key)

    def _token(self, operand: t.Operand) -> Token | None:
        if isinstance(operand, t.Words) and operand.text == "answer":
            return Token(None)
        position = self._position(operand)
        if position == ALL:
            self.scope.report("C404", "`all` is no token", operand.span, "name a position, or `answer`")
            return None
        return None if position is None else Token(position)

    def _count(self, written: t.Number) -> Count | None:
        tokens = MOST_COUNT if self.scope.geometry is None else self.scope.geometry.d_vocab
        if 1 <= written.value < tokens:
            return Count(int(written.value))
        message = f"`{written.text}` is none of the tokens, or all {tokens:,}: it would claim nothing"
        self.scope.report("C502", message, written.span, f"it takes {_KINDS['count']}")
        return None

    def _variable(self, written: t.Words) -> Variable | None:
        task = self.scope.task
        if task is None:
            return None
        known = {info.name: info for info in task.variables}
        if written.text in known:
            return Variable(written.text, known[written.text].counterfactual, known[written.text].at)
        message = f"the task {task.name} has no variable `{written.text}`"
        remedy = suggestion(written.text, list(known), "variable") if known else _NO_VARIABLES
        self.scope.report("C223", message, written.span, remedy)
        return None

    def _reads(self, left: t.Operand, right: t.Operand) -> Reads | None:
        if left is right:
            token = self._token(left)
            if token is None:
                return None
            if token.position is not None:
                return Reads(token.position, token)
            message = "it must be said where the answer is read"
            self.scope.report("C502", message, left.span, "write `IO -> answer`, with your position for IO")
            return None
        position, token = self._position(left), self._token(right)
        return None if position is None or token is None else Reads(position, token)

    def _elements(self, argument: t.Words | t.Alike) -> Elements | None:
        if isinstance(argument, t.Words):
            for kind in ("heads", "nodes", "roles", "edges"):
                if argument.text == kind:
                    return Elements(kind)
            message = f"an overlap of `{argument.text}` cannot be counted"
            self.scope.report("C502", message, argument.span, suggestion(argument.text, _ELEMENTS, "kind"))
            return None
        names = [self._role_of_side(side, operand) for side, operand in enumerate((argument.left, argument.right))]
        left, right = names
        return None if left is None or right is None else Elements("pair", (left, right))

    def _role_of_side(self, side: int, operand: t.Operand) -> str | None:
        known = self.sides[side] if side < len(self.sides) else None
        if not isinstance(operand, t.Words):
            message = f"`{argument_text(operand)}` is no role"
            self.scope.report("C502", message, operand.span, f"it takes {_KINDS['elements']}")
            return None
        if known is not None and operand.text not in known:
            message = f"circuit {self.pair[side]} has no role `{operand.text}`"
            self.scope.report("C203", message, operand.span, suggestion(operand.text, known, "role"))
            return None
        return operand.text

    def _circuits(self, operands: Sequence[t.Argument]) -> Circuits | None:
        names: list[str] = []
        for operand in operands:
            if not isinstance(operand, t.Words) or operand.text not in self.pair:
                message = f"`{argument_text(operand)}` is not one of the two circuits compared"
                remedy = suggestion(argument_text(operand), self.pair, "circuit")
                self.scope.report("C602", message, operand.span, remedy)
                return None
            names.append(operand.text)
        left, right = names
        if left == right:
            message = f"`{left}` stands on both sides"
            other = next(name for name in self.pair if name != left)
            self.scope.report("C602", message, operands[1].span, f"name `{other}` on one of them")
            return None
        return Circuits(left, right)
