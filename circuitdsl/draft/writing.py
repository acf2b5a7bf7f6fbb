"""The text of a draft: a specification in its normal form, with the evidence as comments beside the lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.components import Node
from circuitdsl.draft.lines import Line
from circuitdsl.language.format import format_source, quoted
from circuitdsl.language.grammar import is_name
from circuitdsl.language.statements import RESERVED
from circuitdsl.outcome.draft import DraftRole, Into, Refused
from circuitdsl.report.words import estimate
from circuitdsl.visible import visible

_PLAIN = re.compile(r"(?!(task|method|role|edge|no|expect|about|cite|model)\b)[A-Za-z0-9_][A-Za-z0-9_./+-]*")
"""A model that needs no quotes, as in grammar/circuit.lark."""


@dataclass(frozen=True)
class Heading:
    """What stands before the claims. ``settings`` are those of the method that are not its defaults."""

    name: str
    about: str
    model: str
    task: str
    settings: Mapping[str, str]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Body:
    """Roles with what their names rest on, edges by what they lead into, and the whole. ``refused`` are lines that did
    not hold on the judging prompts, with their verdicts. ``lacks`` says that it is no whole, where that is so."""

    roles: Sequence[tuple[DraftRole, Sequence[Line]]]
    edges: Mapping[Into, Sequence[Line]]
    whole: Sequence[Line]
    refused: Sequence[Refused] = ()
    lacks: str = ""

    def lines(self) -> list[Line]:
        """Every claim, in the order of the text."""
        return [
            *(line for _, lines in self.roles for line in lines),
            *(line for lines in self.edges.values() for line in lines),
            *self.whole,
        ]


def written(heading: Heading, body: Body) -> str:
    """The text. Its claims come in the order of ``Body.lines``."""
    return format_source("\n".join(_lines(heading, body)) + "\n", heading.name)


def circuit_name(wanted: str) -> str:
    """A name that a circuit can have, near to what is wanted.

    >>> circuit_name("my-ioi"), circuit_name("9 heads"), circuit_name("role")
    ('my_ioi', 'draft_9_heads', 'draft_role')
    """
    name = "".join(each if each.isascii() and each.isalnum() else "_" for each in wanted)
    return name if is_name(name) and name not in RESERVED else f"draft_{name}"


def _lines(heading: Heading, body: Body) -> Iterator[str]:
    yield from map(_comment, heading.remarks)
    yield f"circuit {heading.name} {{"
    yield f"about {quoted(visible(heading.about))}"
    yield f"model {heading.model if _PLAIN.fullmatch(heading.model) else quoted(heading.model)}"
    yield f"task {heading.task}"
    yield ""
    yield "method {"
    yield from (f"{name} {value}" for name, value in heading.settings.items())
    yield "}"
    for role, lines in body.roles:
        yield ""
        yield _comment(f"stage {role.stage}: {'; '.join(role.about) or 'no behaviour that is clear enough for a name'}")
        yield f"role {role.name} at {role.nodes[0].position} {{ {' '.join(map(_component, role.nodes))} }}"
        yield from map(_stated, lines)
    for into, lines in body.edges.items():
        if lines:
            yield ""
            yield _comment(f"into {into}" + (f", read at {into.place}" if into.place else ""))
            yield from map(_stated, lines)
    if body.whole or body.lacks:
        yield ""
        yield _comment("the whole" + (f": {body.lacks}" if body.lacks else ""))
        yield from map(_stated, body.whole)
    if body.refused:
        yield ""
        yield _comment("not confirmed on the judging prompts, and so not claimed:")
        yield from (_comment(_refused(each)) for each in body.refused)
    yield "}"


def _component(node: Node) -> str:
    return str(node.component)


def _stated(line: Line) -> str:
    return f"{line.text}  {_comment(line.evidence)}"


def _comment(text: str) -> str:
    """A comment on one line, without characters that cannot be seen."""
    return f"# {visible(' '.join(text.split()))}"


def _refused(each: Refused) -> str:
    unit = "share" if "%" in each.line or each.line.startswith("edge") else "logits"
    return f"{each.line}  ({each.verdict}: {estimate(each.estimate, unit)})"
