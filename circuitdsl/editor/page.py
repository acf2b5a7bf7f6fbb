"""A specification that is open in an editor: its text, the trees of all files that it reads, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from circuitdsl import api
from circuitdsl.editor.outline import Outline, outlines
from circuitdsl.editor.symbols import Occurrence, Symbol, occurrences, role_names
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Circuit, Claim, Comparison, Intervention
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.language.environment import Environment, TaskInfo, TaskRef, UnknownName
from circuitdsl.language.parse import parse_tolerantly
from circuitdsl.language.resolve import Linted, lint_source
from circuitdsl.language.source import Source, Span, normalised

Block = Circuit | Comparison | Intervention


@dataclass(frozen=True)
class Page:
    """``linted`` is what the text means as far as that can be told. Lines and columns count from 1, as in spans."""

    source: Source
    linted: Linted
    environment: Environment

    @classmethod
    def read(cls, text: str, path: str) -> Page:
        """A text as if it were the file ``path``, from whose folder other files count."""
        source, environment = Source(path, normalised(text)), api.tolerant_environment()
        return cls(source, lint_source(source, environment), environment)

    @property
    def path(self) -> str:
        return self.source.path

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is wrong with it, and with the files of prompts that it names: these are read line by line."""
        return tuple(api.with_prompts_read(self.linted))

    @cached_property
    def files(self) -> Mapping[str, t.File]:
        """The trees of this file and of those that it uses, by their paths."""
        return {path: parse_tolerantly(source)[0] for path, source in self.linted.sources.items()}

    @cached_property
    def names(self) -> tuple[Occurrence, ...]:
        """Every name in this file and in those that it uses."""
        return tuple(each for file in self.files.values() for each in occurrences(file))

    def at(self, line: int, column: int) -> Occurrence | None:
        """The name that stands there in this file, or that ends there: roles and positions as what they are."""
        here = [each for each in self.names if each.span.file == self.path and covers(each.span, line, column)]
        found = min(here, key=lambda each: each.span.end_column - each.span.column, default=None)
        return None if found is None else self._known(found)

    def _known(self, found: Occurrence) -> Occurrence:
        """A word that could be a role or a position, as the one that it is."""
        symbol = found.symbol
        if symbol.kind == "position" and symbol.name in self.roles(symbol.owner):
            return Occurrence(Symbol("role", symbol.name, symbol.owner), found.span, found.defines)
        return found

    def occurrences_of(self, symbol: Symbol) -> Iterator[Occurrence]:
        """Every place in these files where a thing is named."""
        return (known for each in self.names if (known := self._known(each)).symbol == symbol)

    def definition(self, symbol: Symbol) -> Occurrence | None:
        """Where a thing is defined, if it is in one of these files."""
        return next((each for each in self.names if each.defines and each.symbol == symbol), None)

    # --- circuits ----------------------------------------------------------------------------------

    def circuit_names(self) -> tuple[str, ...]:
        """The circuits of these files, those that are being written among them."""
        return tuple(dict.fromkeys((*self._outlines, *(block.name.text for block in self._circuit_blocks()))))

    def roles(self, circuit: str) -> tuple[str, ...]:
        """The roles of a circuit, () for one that is not here."""
        blocks = (block for block in self._circuit_blocks() if block.name.text == circuit)
        outlined = self._outlines[circuit].roles if circuit in self._outlines else ()
        return tuple(dict.fromkeys((*outlined, *(name for block in blocks for name in role_names(block.body)))))

    @cached_property
    def _outlines(self) -> Mapping[str, Outline]:
        return outlines(self.source.text)

    def _circuit_blocks(self) -> Iterator[t.Circuit]:
        return (block for file in self.files.values() for block in file.blocks if isinstance(block, t.Circuit))

    def circuit(self, name: str) -> Circuit | None:
        """A circuit as it was resolved, None where that failed."""
        document = self.linted.document
        return next((each for each in (*document.circuits, *document.used) if each.name == name), None)

    def task(self, circuit: str) -> TaskInfo | None:
        """What the task of a circuit offers, None for one that is not known."""
        if found := self.circuit(circuit):
            return found.task_info
        outline = self._outlines.get(circuit, Outline())
        arguments = (("", outline.file),) if outline.file else ()
        try:
            return self.environment.task(TaskRef(outline.task, arguments, str(Path(self.path).parent)))
        except UnknownName:
            return None

    # --- claims ------------------------------------------------------------------------------------

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """The blocks of this file under the names by which they are checked."""
        document = self.linted.document
        for circuit in document.circuits:
            yield circuit.name, circuit
        for comparison in document.comparisons:
            yield f"{comparison.left} with {comparison.right}", comparison
        for intervention in document.interventions:
            yield intervention.name, intervention

    def claims(self) -> Iterator[tuple[str, Claim]]:
        """All claims of this file, with the names of their blocks."""
        return ((name, claim) for name, block in self.blocks() if block.file == self.path for claim in block.claims)


def covers(span: Span, line: int, column: int) -> bool:
    """Whether a place is in a span or at its end."""
    return (span.line, span.column) <= (line, column) <= (span.end_line, span.end_column)
