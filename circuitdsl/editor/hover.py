"""What is said of a name or a claim under the cursor: its definition, and what was measured last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from circuitdsl import api
from circuitdsl.editor.measured import Measured
from circuitdsl.editor.page import Page
from circuitdsl.editor.symbols import Symbol
from circuitdsl.errors import InputError
from circuitdsl.language import tree as t
from circuitdsl.language.source import Span
from circuitdsl.visible import visible_lines

UNKNOWN = "not measured yet, as far as this server has seen: run the claim by the lens above it"


@dataclass(frozen=True)
class Hover:
    """A plain text, and the name that it is about; None for the claims of a line."""

    text: str
    span: Span | None


def hover(page: Page, line: int, column: int, measured: Measured) -> Hover | None:
    """What is known of what stands there, None where nothing is."""
    found = page.at(line, column)
    parts = list(_defined(page, found.symbol)) if found else []
    parts += _measured(page, line, measured)
    if not parts:
        return None
    return Hover(visible_lines("\n\n".join(part.rstrip() for part in parts)), found.span if found else None)


def _defined(page: Page, symbol: Symbol) -> Iterator[str]:
    match symbol.kind:
        case "measure" | "setting" | "control" | "task" | "model":
            yield from _explained(symbol.name)
        case "position":
            if task := page.task(symbol.owner):
                found = [(each.name, each.about) for each in task.positions]
                yield from _of_task(symbol.name, found, task.name)
        case "counterfactual":
            if task := page.task(symbol.owner):
                yield from _of_task(symbol.name, task.counterfactuals, task.name)
        case "role":
            yield from (_text_of(page, role.span) for role in _roles(page, symbol))
        case "circuit" | "intervention" | "dictionary" | "file":
            yield from _about(page, symbol)


def _of_task(name: str, known: Iterable[tuple[str, str]], task: str) -> Iterator[str]:
    return (f"{name}: {about} ({task})" for each, about in known if each == name)


def _explained(name: str) -> Iterator[str]:
    try:
        yield api.explain(name)
    except InputError:
        return


def _roles(page: Page, symbol: Symbol) -> Iterator[t.Role]:
    for file in page.files.values():
        for block in file.blocks:
            if isinstance(block, t.Circuit) and block.name.text == symbol.owner:
                yield from (each for each in block.body if isinstance(each, t.Role) and each.name.text == symbol.name)


def _text_of(page: Page, span: Span) -> str:
    source = page.linted.sources[span.file]
    start, end = source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)
    return source.text[start:end]


def _about(page: Page, symbol: Symbol) -> Iterator[str]:
    circuit = page.circuit(symbol.name) if symbol.kind == "circuit" else None
    if circuit:
        lines = [f"circuit {circuit.name}: model {circuit.model}, task {circuit.task}", circuit.about]
        yield "\n".join([*filter(None, lines), f"{len(circuit.claims)} claims, {len(circuit.heads)} heads"])
    elif symbol.kind == "dictionary" and (owner := page.circuit(symbol.owner)):
        yield from (f"dictionary {each}" for each in owner.dictionaries if each.name == symbol.name)


def _measured(page: Page, line: int, measured: Measured) -> Iterator[str]:
    """The claims that stand on a line."""
    for block, claim in page.claims():
        if claim.line == line:
            yield f"{claim.text}\n  {measured.of(block, claim) or UNKNOWN}"
