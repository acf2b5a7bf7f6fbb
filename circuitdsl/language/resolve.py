"""Syntax trees -> Document: every name looked up, every statement a claim; all that is wrong in one error.

``load_files`` and ``resolve_text`` give the Document alone; ``load_with_warnings`` and ``resolve_source`` give it with
the warnings, and with the sources that these are rendered from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Circuit, Comparison, Document, Intervention
from circuitdsl.language.circuit_blocks import resolve_circuit
from circuitdsl.language.comparisons import resolve_comparison
from circuitdsl.language.diagnostics import Collector, Diagnostic, SpecError
from circuitdsl.language.environment import Environment
from circuitdsl.language.interventions import resolve_intervention
from circuitdsl.language.parse import parse_tolerantly
from circuitdsl.language.source import Source, Span, Unreadable, normalised, read_source

MOST_DEPTH = 16

# What a statement that could not be read would have said: not reported of files with syntax errors.
_CONSEQUENCES = frozenset({"C203", "C204", "C211", "C212", "C216", "C402", "C502", "C590", "C604"})


@dataclass(frozen=True)
class Loaded:
    """A document, what is suspicious in it, and the texts of its files under their names in spans."""

    document: Document
    warnings: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)


def load_files(paths: Sequence[str | Path], environment: Environment) -> Document:
    """Parse and resolve specification files together; files named twice count once.

    Raises:
        SpecError: with all errors, and the warnings, of all files.
    """
    return load_with_warnings(paths, environment).document


def load_with_warnings(paths: Sequence[str | Path], environment: Environment) -> Loaded:
    """As :func:`load_files`, with the warnings."""
    files = _Files(environment)
    for path in paths:
        files.read(str(path), Span.of_file(str(path)), 0)
    return files.resolved()


def resolve_text(text: str, path: str, environment: Environment) -> Document:
    """The document of one text, as if it were the file ``path``, from whose folder ``use`` and tasks' files count.

    Raises:
        SpecError: with all errors, and the warnings.
    """
    return resolve_source(Source(path, normalised(text)), environment).document


def resolve_source(source: Source, environment: Environment) -> Loaded:
    """As :func:`resolve_text`, with the warnings."""
    files = _Files(environment)
    files.add(source, 0)
    return files.resolved()


@dataclass
class _Named:
    """A block under its name, and what it resolved to: None if that failed, which has been reported."""

    span: Span
    what: str
    circuit: Circuit | None = None


class _Files:
    """The files of one call: first all are read, following ``use``, then their blocks are resolved."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.collector = Collector()
        self.sources: dict[str, Source] = {}
        self.given: dict[str, t.File] = {}
        self.used: dict[str, t.File] = {}
        self._names: dict[str, str] = {}  # real path -> the name under which it was read first
        self._broken: set[str] = set()

    # --- reading -----------------------------------------------------------------------------------

    def read(self, path: str, span: Span, depth: int) -> None:
        """Read a file that was given (depth 0) or that another one uses at ``span``."""
        real = os.path.realpath(path) if "\0" not in path else path
        if real in self._names:
            known = self._names[real]
            if depth == 0 and known in self.used:
                self.given[known] = self.used.pop(known)
            return
        if depth > MOST_DEPTH:
            self.collector.add("C004", "files use each other too deeply", span, "use the files directly")
            return
        self._names[real] = path
        try:
            self.add(read_source(path), depth)
        except Unreadable as error:
            counted = "; it counts from the folder of the file that uses it" if depth and error.code == "C001" else ""
            self.collector.add(error.code, error.message, span, error.remedy + counted)

    def add(self, source: Source, depth: int) -> None:
        self._names.setdefault(os.path.realpath(source.path) if "\0" not in source.path else "", source.path)
        self.sources[source.path] = source
        file, errors = parse_tolerantly(source)
        self.collector.take(errors)
        if errors:
            self._broken.add(source.path)
        (self.used if depth else self.given)[source.path] = file
        for block in file.blocks:
            if isinstance(block, t.Use):
                path = Path(source.path).parent / block.path.value
                self.read(str(path), block.path.span, depth + 1)

    # --- resolving ---------------------------------------------------------------------------------

    def resolved(self) -> Loaded:
        """The document of all that was read.

        Raises:
            SpecError: if anything is wrong with it.
        """
        named: dict[str, _Named] = {}
        circuits = self._circuits(self.given, named)
        used = self._circuits(self.used, named)
        comparisons, interventions = self._others(named)
        document = Document(tuple(self.given), circuits, comparisons, interventions, used)
        diagnostics = self._diagnostics()
        if any(diagnostic.severity == "error" for diagnostic in diagnostics):
            raise SpecError(diagnostics, self.sources)
        return Loaded(document, diagnostics, self.sources)

    def _circuits(self, files: Mapping[str, t.File], named: dict[str, _Named]) -> tuple[Circuit, ...]:
        circuits = []
        for path, file in files.items():
            for block in file.blocks:
                if isinstance(block, t.Circuit) and self._is_new(named, block.name.text, block.name.span, "circuit"):
                    circuit = resolve_circuit(block, path, self.environment, self.collector)
                    named[block.name.text].circuit = circuit
                    circuits += [circuit] if circuit else []
        return tuple(circuits)

    def _others(self, named: dict[str, _Named]) -> tuple[tuple[Comparison, ...], tuple[Intervention, ...]]:
        comparisons: list[Comparison | None] = []
        interventions: list[Intervention | None] = []
        blocks = [(path, block) for path, file in self.given.items() for block in file.blocks]
        circuits = {name: entry.circuit for name, entry in named.items() if entry.what == "circuit"}
        for path, block in blocks:
            if isinstance(block, t.Comparison):
                both = f"{block.left.text} with {block.right.text}"
                if self._is_new(named, both, block.left.span.to(block.right.span), "comparison"):
                    comparisons.append(resolve_comparison(block, path, circuits, self.environment, self.collector))
            if isinstance(block, t.Intervention) and self._is_new(
                named, block.name.text, block.name.span, "intervention"
            ):
                interventions.append(resolve_intervention(block, path, circuits, self.environment, self.collector))
        return tuple(c for c in comparisons if c), tuple(i for i in interventions if i)

    def _is_new(self, named: dict[str, _Named], name: str, span: Span, what: str) -> bool:
        if name not in named:
            named[name] = _Named(span, what)
            return True
        first = named[name]
        message = f"there already is {'an' if first.what[0] in 'aeiou' else 'a'} {first.what} `{name}`"
        remedy = "join them into one" if what == "comparison" else "rename one"
        if span.file != first.span.file:
            remedy += ", or give the files to separate calls"
        self.collector.add("C206", message, span, remedy, f"the first is at {first.span}")
        return False

    def _diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found, in the order of the files and their lines."""
        order = {path: number for number, path in enumerate(self.sources)}
        kept = [
            diagnostic for diagnostic in self.collector.found if not (self._broken and diagnostic.code in _CONSEQUENCES)
        ]
        return tuple(sorted(kept, key=lambda d: (order.get(d.span.file, -1), d.span.line, d.span.column, d.code)))
