"""Lenses over claims: what was measured last, and one line's claims run by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from circuitdsl.editor.measured import Measured, compared
from circuitdsl.editor.page import Page
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, Comparison, Document, Intervention

BlockT = TypeVar("BlockT", Circuit, Comparison, Intervention)


@dataclass(frozen=True)
class Lens:
    """Over a line: the claims of one block that stand there, and what is said of them."""

    block: str
    line: int
    title: str


def lenses(page: Page, measured: Measured) -> Iterator[Lens]:
    """One for each line that claims something, none while the file has errors."""
    if page.linted.wrong:
        return
    lines: dict[tuple[str, int], list[str]] = {}
    for block, claim in page.claims():
        seen = measured.of(block, claim)
        lines.setdefault((block, claim.line), []).append(seen.short if seen else "")
    for (block, line), known in lines.items():
        yield Lens(block, line, _title(known))


def _title(known: list[str]) -> str:
    """``✓ 82.2% [73.7, 87.5] · check again``; of several claims their marks."""
    seen = [each for each in known if each]
    if not seen:
        return "check" if len(known) == 1 else f"check {len(known)} claims"
    said = seen[0] if len(known) == 1 else " ".join(each[0] for each in seen)
    return f"{said} · check again"


def only(document: Document, block: str, line: int) -> Document:
    """The document with no claims but those of a block that stand on a line.

    Raises InputError where there are none, as after a change of the text.
    """
    circuits = _of(document.circuits, [each.name for each in document.circuits], block, line)
    comparisons = _of(document.comparisons, [compared(c.left, c.right) for c in document.comparisons], block, line)
    interventions = _of(document.interventions, [each.name for each in document.interventions], block, line)
    if not (circuits or comparisons or interventions):
        raise InputError(f"line {line} of {block} claims nothing", "save or undo the last change, and try again")
    named = {circuit.name for circuit in circuits}
    others = tuple(each for each in (*document.circuits, *document.used) if each.name not in named)
    return Document(document.files, circuits, comparisons, interventions, others)


def _of(blocks: tuple[BlockT, ...], names: list[str], wanted: str, line: int) -> tuple[BlockT, ...]:
    """The block of that name with its claims on a line, if it has any."""
    found: list[BlockT] = []
    for block, name in zip(blocks, names, strict=True):
        claims = tuple(claim for claim in block.claims if claim.line == line)
        if name == wanted and claims:
            found.append(replace(block, claims=claims))
    return tuple(found)
