"""Changes in the text of a specification: what is not changed stays as the author wrote it, comments among it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from circuitdsl.components import ALL, Geometry, Node, Position, kinds
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.diagnostics import Diagnostic, SpecError
from circuitdsl.language.environment import Environment
from circuitdsl.language.format import INDENT, at_text, format_source, statement_text
from circuitdsl.language.parse import parse
from circuitdsl.language.resolve import resolve_source
from circuitdsl.language.source import Source, Span
from circuitdsl.visible import visible

MARK = "by draft --refine"
"""What stands in every comment that is written here."""


_FIRST = t.About | t.Cite | t.Model | t.Task | t.Method
"""What stands before the roles of a circuit."""


@dataclass(frozen=True)
class Specification:
    """A circuit of a text, whose model has this shape. Methods give the text with one change made."""

    source: Source
    name: str
    geometry: Geometry

    @property
    def text(self) -> str:
        return self.source.text

    @cached_property
    def circuit(self) -> t.Circuit:
        blocks = (block for block in parse(self.source).blocks if isinstance(block, t.Circuit))
        return next(block for block in blocks if block.name.text == self.name)

    @property
    def edges(self) -> tuple[t.Edge, ...]:
        return tuple(each for each in self.circuit.body if isinstance(each, t.Edge))

    def role(self, name: str) -> t.Role:
        return next(each for each in self.circuit.body if isinstance(each, t.Role) and each.name.text == name)

    # --- roles -----------------------------------------------------------------------------------

    def without(self, role: str, nodes: Sequence[Node]) -> Specification:
        """Some nodes are not in a role any more."""
        found = self
        for node in nodes:
            found = found.moved(role, node, ())
        return found

    def moved(self, role: str, node: Node, places: Sequence[Position]) -> Specification:
        """A node of a role stands at other positions, or at none."""
        written = self.role(role)
        member, nodes = next(each for each in self._members(written) if node in each[1])
        own = at_text(member.at)
        stays = [f"{other.component}{own}" for other in nodes if other != node]
        goes = [_member(Node(node.component, place), written) for place in places]
        return self._spliced(member.span, "  ".join((*stays, *goes)))

    def role_moved(self, role: str, place: Position) -> Specification:
        """A role stands at another position."""
        written = self.role(role)
        if any(isinstance(each, t.Member) and each.at for each in written.body):
            found = self
            for node in [node for _, nodes in self._members(written) for node in nodes]:
                found = found.moved(role, node, (place,))
            return found
        if written.at:
            return self._spliced(written.at.span, str(place))
        return self._inserted(written.name.span, f" at {place}")

    def without_role(self, role: str) -> Specification:
        """Without a role, and without its comment."""
        return self._without(self.role(role).span)

    def with_node(self, role: str, node: Node) -> Specification:
        """A node more in a role."""
        written = self.role(role)
        *_, last = (each for each in written.body if isinstance(each, t.Member))
        return self._inserted(last.span, f"  {_member(node, written)}")

    def with_role(self, name: str, nodes: Sequence[Node], about: str) -> Specification:
        """A role more, after the last one, or after what stands before roles."""
        place = "" if nodes[0].position == ALL else f" at {nodes[0].position}"
        members = "  ".join(str(node.component) for node in nodes)
        body = self.circuit.body
        before = [each for each in body if isinstance(each, t.Role)] or [e for e in body if isinstance(e, _FIRST)]
        lines = ("", _comment(f"{MARK}: {about}"), f"role {name}{place} {{ {members} }}")
        return self._after(before[-1].span, "".join(f"\n{INDENT}{line}".rstrip(" ") for line in lines))

    def remarked(self, role: str, remark: str) -> Specification:
        """A comment after a role; at the end of the circuit where one stands there already, or where the formatter
        would move the comments of other lines for it."""
        span = self.role(role).span
        free = not self.source.lines[span.end_line - 1][span.end_column - 1 :].strip()
        beside = self._inserted(span, "  " + _comment(f"{MARK}: {remark}"))
        if free and len(_gone(self.formatted().text, beside.formatted().text)) <= 1:
            return beside
        return self.with_lines(_comment(f"{MARK}, role {role}: {remark}"))

    def names(self, role: str) -> bool:
        """Whether anything but its own head names a role, a claim in its own body among it."""
        return list(self.source.words()).count(role) > 1 or any(
            isinstance(each, t.Expect) for each in self.role(role).body
        )

    def _members(self, role: t.Role) -> Iterator[tuple[t.Member, tuple[Node, ...]]]:
        """What is listed in a role, each with the nodes that it stands for."""
        for member in role.body:
            if isinstance(member, t.Member):
                place = _place(member.at or role.at)
                found = kinds()[member.component.rule].members(member.component.numbers, self.geometry)
                yield member, tuple(Node(component, place) for component in found)

    # --- edges -----------------------------------------------------------------------------------

    def less_edge(self, number: int) -> Specification:
        """Without the edge of this number, of those that the circuit states, and without its comment."""
        return self._without(self.edges[number].span)

    def _without(self, span: Span) -> Specification:
        """Without a statement, whose lines go whole if nothing else stands there."""
        start, stop = self._offsets(span)
        before = self.text[:start].rpartition("\n")[2]
        rest = self.text[stop:].partition("\n")[0]
        if before.strip() or (rest.strip() and not rest.strip().startswith("#")):
            return self._replaced(start, stop, "")
        return self._replaced(start - len(before), stop + len(rest) + 1, "")

    def edge_said(self, number: int) -> str:
        """That edge with its comment."""
        edge = self.edges[number]
        rest = self.source.lines[edge.span.end_line - 1][edge.span.end_column - 1 :].strip()
        return statement_text(edge) + (f"  {rest}" if rest.startswith("#") else "")

    def with_lines(self, *lines: str) -> Specification:
        """Lines more at the end of the circuit, after a blank one if the line before is the author's."""
        _, stop = self._offsets(self.circuit.span)
        before = self.text[: stop - 1]
        at = before.rpartition("\n")
        closing = len(before) if at[2].strip() else len(at[0]) + len(at[1])
        last = before[:closing].rstrip("\n").rpartition("\n")[2]
        apart = "" if MARK in last else "\n"
        start = "\n" if at[2].strip() else ""
        added = "".join(f"{INDENT}{visible(line)}\n" for line in lines)
        return self._replaced(closing, closing, f"{start}{apart}{added}")

    # --- text ------------------------------------------------------------------------------------

    def formatted(self) -> Specification:
        return self._with(format_source(self.text, self.source.path))

    def _spliced(self, span: Span, text: str) -> Specification:
        """Something else in place of a span; with nothing go the blanks before it, and a line that is empty then."""
        start, stop = self._offsets(span)
        if text:
            return self._replaced(start, stop, text)
        while start and self.text[start - 1] in " \t":
            start -= 1
        alone = self.text[start - 1 : start] == "\n" and self.text[stop : stop + 1] == "\n"
        return self._replaced(start, stop + alone, "")

    def _inserted(self, span: Span, text: str) -> Specification:
        _, stop = self._offsets(span)
        return self._replaced(stop, stop, text)

    def _after(self, span: Span, text: str) -> Specification:
        """Lines after a span and the comment on its last line, and a blank one before what follows."""
        _, stop = self._offsets(span)
        rest, _, below = self.text[stop:].partition("\n")
        if rest.strip() and not rest.strip().startswith("#"):
            return self._replaced(stop, stop, f"{text}\n")
        apart = "\n" if below.partition("\n")[0].strip() not in ("", "}") else ""
        return self._replaced(stop + len(rest), stop + len(rest), text + apart)

    def _offsets(self, span: Span) -> tuple[int, int]:
        return self.source.offset(span.line, span.column), self.source.offset(span.end_line, span.end_column)

    def _replaced(self, start: int, stop: int, text: str) -> Specification:
        return self._with(self.text[:start] + text + self.text[stop:])

    def _with(self, text: str) -> Specification:
        return replace(self, source=Source(self.source.path, text))


def _gone(before: str, after: str) -> list[str]:
    """The lines of a text that another one has not."""
    left = set(after.split("\n"))
    return [line for line in before.split("\n") if line not in left]


def _place(written: t.Place | None) -> Position:
    return Position(written.name, written.offset) if written else ALL


def _member(node: Node, role: t.Role) -> str:
    """A node as a role lists it."""
    return str(node.component) if node.position == _place(role.at) else str(node)


def _comment(text: str) -> str:
    """A comment on one line, without characters that cannot be seen."""
    return f"# {visible(' '.join(text.split()))}"


Edit = Callable[[Specification], Specification | str]
"""A change of a text, or why it cannot be made."""


def why_not(before: Specification, after: Specification, environment: Environment) -> str:
    """Why a change cannot be made: the first thing that is wrong or suspicious in the changed text and was not before;
    "" if there is none."""
    known = {(each.code, each.message) for each in diagnostics(before, environment)}
    for each in diagnostics(after, environment):
        if (each.code, each.message) not in known:
            return f"line {each.span.line} of the changed file would be wrong: {each.message}"
    return ""


def resolved(specification: Specification, environment: Environment) -> Circuit:
    """What the circuit means. Raises SpecError."""
    found = resolve_source(specification.source, environment)
    return found.document.circuit(specification.name)


def diagnostics(specification: Specification, environment: Environment) -> tuple[Diagnostic, ...]:
    """All that is wrong or suspicious in a text."""
    try:
        return resolve_source(specification.source, environment).warnings
    except SpecError as error:
        return error.diagnostics
