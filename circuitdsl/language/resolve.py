"""Syntax trees -> Document: every name looked up, every statement a claim; all that is wrong in one error.

``load_files`` and ``resolve_text`` give the Document alone; ``load_with_warnings`` and ``resolve_source`` give it with
the warnings, and with the sources that these are rendered from. ``lint_files`` and ``lint_source`` raise nothing: they
give all that is wrong, and what of the Document there is all the same.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from circuitdsl.errors import InputError
from circuitdsl.language import tree as t
from circuitdsl.language.budget import Budget
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


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """Large files make many small objects and no cycles of them: to look for cycles all along takes as long again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class Loaded:
    """A document, what is suspicious in it, and the texts of its files under their names in spans."""

    document: Document
    warnings: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])


@dataclass(frozen=True)
class Linted:
    """All that is wrong or suspicious, the blocks that could be resolved all the same, and the files' texts."""

    document: Document
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @property
    def wrong(self) -> bool:
        """Whether there is an error among what was found."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def load_files(paths: Sequence[str | Path], environment: Environment) -> Document:
    """Parse and resolve specification files together; files named twice count once.

    Raises:
        SpecError: with all errors, and the warnings, of all files.
    """
    return load_with_warnings(paths, environment).document


def load_with_warnings(paths: Sequence[str | Path], environment: Environment) -> Loaded:
    """As :func:`load_files`, with the warnings."""
    with _without_garbage_collection():
        return _read(paths, environment).resolved()


def lint_files(paths: Sequence[str | Path], environment: Environment) -> Linted:
    """All that is wrong with some files; those that have nothing to do with each other may use the same names.

    Files belong together where one uses the other, or names a circuit that only the other one has.
    """
    with _without_garbage_collection():
        files = _read(paths, environment)
        return files.linted(files.groups())


def lint_source(source: Source, environment: Environment) -> Linted:
    """All that is wrong with a text, as if it were the file that it is called by."""
    with _without_garbage_collection():
        files = _Files(environment)
        files.add(source, 0)
        return files.linted()


def resolve_text(text: str, path: str, environment: Environment) -> Document:
    """The document of one text, as if it were the file ``path``, from whose folder ``use`` and tasks' files count.

    Raises:
        SpecError: with all errors, and the warnings.
    """
    return resolve_source(Source(path, normalised(text)), environment).document


def resolve_source(source: Source, environment: Environment) -> Loaded:
    """As :func:`resolve_text`, with the warnings."""
    with _without_garbage_collection():
        files = _Files(environment)
        files.add(source, 0)
        return files.resolved()


def circuit_named(document: Document, name: str, path: str) -> Circuit:
    """The circuit ``name`` of the document of a file, its only one for "". Raises InputError if that is not one."""
    named = [circuit for circuit in document.circuits if not name or circuit.name == name]
    if len(named) == 1:
        return named[0]
    known = ", ".join(circuit.name for circuit in document.circuits) or "none"
    found = len(document.circuits)
    problem = f"{path} holds no circuit {name}" if name else f"{path} holds {found} circuits, and one is needed"
    raise InputError(problem, f"write {path}:NAME; circuits there: {known}")


def _read(paths: Sequence[str | Path], environment: Environment) -> _Files:
    files = _Files(environment)
    for path in paths:
        files.read(str(path), Span.of_file(str(path)), 0)
    return files


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
        self._budgets: dict[str, Budget] = {}
        self._names: dict[str, str] = {}  # real path -> the name under which it was read first
        self._uses: list[tuple[str, str]] = []  # each file with one that it uses
        self._broken: set[str] = set()

    # --- reading -----------------------------------------------------------------------------------

    def read(self, path: str, span: Span, depth: int) -> None:
        """Read a file that was given (depth 0) or that another one uses at ``span``."""
        real = _real(path)
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
        self._names.setdefault(_real(source.path), source.path)
        self.sources[source.path] = source
        file, errors = parse_tolerantly(source)
        self.collector.take(errors)
        if errors:
            self._broken.add(source.path)
        (self.used if depth else self.given)[source.path] = file
        for block in file.blocks:
            if isinstance(block, t.Use):
                path = str(Path(source.path).parent / block.path.value)
                self.read(path, block.path.span, depth + 1)
                self._uses.append((source.path, self._names.get(_real(path), path)))

    def groups(self) -> list[set[str]]:
        """The files that belong together: by ``use``, or because one names a circuit that others have."""
        files = self.given | self.used
        if len(files) == 1:
            return [set(files)]
        import networkx as nx  # here, since most are alone

        uses: nx.DiGraph[str] = nx.DiGraph(self._uses)
        uses.add_nodes_from(files)
        together = uses.to_undirected()
        owners: dict[str, set[str]] = {}
        for path, file in files.items():
            for block in file.blocks:
                if isinstance(block, t.Circuit):
                    owners.setdefault(block.name.text, set()).add(path)
        for path, file in files.items():
            used: set[str] = cast(Any, nx).descendants(uses, path)  # its stub has a parameter without a type
            within = {path, *used}
            for name in _circuits_named_in(file):
                if not owners.get(name, set()) & within:  # else it is one of its own
                    together.add_edges_from((path, owner) for owner in owners.get(name, ()))
        return list(nx.connected_components(together))

    # --- resolving ---------------------------------------------------------------------------------

    def resolved(self) -> Loaded:
        """The document of all that was read.

        Raises:
            SpecError: if anything is wrong with it.
        """
        found = self.linted()
        if found.wrong:
            raise SpecError(found.diagnostics, found.sources)
        return Loaded(found.document, found.diagnostics, found.sources)

    def linted(self, groups: Iterable[Container[str]] | None = None) -> Linted:
        """All that was read; within each group of files names must differ (None: among all files)."""
        parts = [self._resolved(group) for group in ([self.sources] if groups is None else groups)]
        document = Document(
            tuple(self.given),
            tuple(circuit for part in parts for circuit in part.circuits),
            tuple(comparison for part in parts for comparison in part.comparisons),
            tuple(intervention for part in parts for intervention in part.interventions),
            tuple(circuit for part in parts for circuit in part.used),
        )
        return Linted(document, self._diagnostics(), self.sources)

    def _resolved(self, group: Container[str]) -> Document:
        """What the blocks of a group of files mean, apart from what is wrong with them."""
        given, used = (
            {path: file for path, file in files.items() if path in group} for files in (self.given, self.used)
        )
        named: dict[str, _Named] = {}
        circuits = self._circuits(given, named)
        others = self._circuits(used, named)
        comparisons, interventions = self._others(given, named)
        return Document(tuple(given), circuits, comparisons, interventions, others)

    def _circuits(self, files: Mapping[str, t.File], named: dict[str, _Named]) -> tuple[Circuit, ...]:
        circuits: list[Circuit] = []
        for path, file in files.items():
            for block in file.blocks:
                if isinstance(block, t.Circuit) and self._is_new(named, block.name.text, block.name.span, "circuit"):
                    circuit = resolve_circuit(block, path, self.environment, self.collector, self._budget(path))
                    named[block.name.text].circuit = circuit
                    circuits += [circuit] if circuit else []
        return tuple(circuits)

    def _others(
        self, files: Mapping[str, t.File], named: dict[str, _Named]
    ) -> tuple[tuple[Comparison, ...], tuple[Intervention, ...]]:
        comparisons: list[Comparison | None] = []
        interventions: list[Intervention | None] = []
        blocks = [(path, block) for path, file in files.items() for block in file.blocks]
        circuits = {name: entry.circuit for name, entry in named.items() if entry.what == "circuit"}
        for path, block in blocks:
            if isinstance(block, t.Comparison):
                both = f"{block.left.text} with {block.right.text}"
                if self._is_new(named, both, block.left.span.to(block.right.span), "comparison"):
                    comparisons.append(resolve_comparison(block, path, circuits, self.environment, self.collector))
            if isinstance(block, t.Intervention) and self._is_new(
                named, block.name.text, block.name.span, "intervention"
            ):
                interventions.append(
                    resolve_intervention(block, path, circuits, self.environment, self.collector, self._budget(path))
                )
        return tuple(c for c in comparisons if c), tuple(i for i in interventions if i)

    def _budget(self, path: str) -> Budget:
        """What the groups of a file may still stand for."""
        return self._budgets.setdefault(path, Budget())

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


def _real(path: str) -> str:
    return path if "\0" in path else os.path.realpath(path)


def _circuits_named_in(file: t.File) -> Iterator[str]:
    """The circuits that a file's comparisons and interventions are about."""
    for block in file.blocks:
        if isinstance(block, t.Comparison):
            yield from (block.left.text, block.right.text)
        if isinstance(block, t.Intervention):
            yield block.on.text
