"""Another name for a role, wherever it is named: in its circuit, in comparisons and interventions, in other files."""

from __future__ import annotations

from collections.abc import Iterable

from circuitdsl.editor.page import Page
from circuitdsl.errors import InputError
from circuitdsl.language.grammar import is_name
from circuitdsl.language.source import Span


def renamed(page: Page, line: int, column: int) -> Span | None:
    """The name that can be changed here: that of a role, and of no role with a number in it."""
    found = page.at(line, column)
    return found.span if found and found.symbol.kind == "role" and "[" not in found.symbol.name else None


def rename(page: Page, line: int, column: int, name: str, others: Iterable[Page] = ()) -> tuple[Span, ...]:
    """The places where the role is named that stands here, in this page and in ``others`` that read its circuit too.

    Raises InputError where there is no role, and for a name that it cannot have.
    """
    found = page.at(line, column)
    if found is None or renamed(page, line, column) is None:
        raise InputError("only roles can be renamed here", "put the cursor on a role's name")
    role = found.symbol
    if not is_name(name) or "[" in name:
        raise InputError(
            f"{name} cannot be a name", "a name is one word of letters, digits and _, and none of the language"
        )
    task = page.task(role.owner)
    positions = [position.name for position in task.positions] if task else []
    if name != role.name and name in (*page.roles(role.owner), *positions, "all", "END", "BOS"):
        raise InputError(f"{role.owner} already has a role or a position {name}", "choose another name")
    defined = page.definition(role)
    reading = [other for other in others if defined in other.names]
    spans = (each.span for each_page in (page, *reading) for each in each_page.occurrences_of(role))
    return tuple(dict.fromkeys(spans))
