"""Specifications and circuits, read from files or a text, or given as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from circuitdsl.api.arguments import checked
from circuitdsl.api.at_revision import at_revision
from circuitdsl.api.environments import environment
from circuitdsl.errors import InputError, require, shown
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.language.diagnostics import Diagnostic, render_all
from circuitdsl.language.resolve import Loaded, circuit_named, load_with_warnings, resolve_source
from circuitdsl.language.source import Source, normalised
from circuitdsl.library import file_and_name, find_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuitdsl.models.given import AnyModel


@dataclass(frozen=True)
class Findings(Sequence[Diagnostic]):
    """What is wrong or suspicious in specifications, in the order of the files and their lines, with their texts."""

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @overload
    def __getitem__(self, index: int) -> Diagnostic: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Diagnostic, ...]: ...

    def __getitem__(self, index: int | slice) -> Diagnostic | tuple[Diagnostic, ...]:
        return self.diagnostics[index]

    def __len__(self) -> int:
        return len(self.diagnostics)

    def render(self, color: bool = False) -> str:
        """All of it as text for a person, with a last line that counts it; "" if there is nothing."""
        return render_all(self.diagnostics, self.sources, color)


@checked
def load(
    *paths: str | os.PathLike[str],
    text: str | None = None,
    model: AnyModel | None = None,
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> Document:
    """Read and resolve spec files together, or one ``text``, against ``model`` in place of the models that they name
    if it is given.

    Files that ship are found by name (``mini/ioi``); files that a text names count from the working folder. The shape
    of a model of the hub is that of its ``revision``. ``warned`` is told of what is suspicious, if anything is. Raises
    SpecError with all that is wrong, and InputError for both files and a text, or neither.
    """
    if (text is None) == (not paths):
        raise InputError("load takes files, or a text", 'write load("my.circuit") or load(text="circuit ...")')
    known = environment(model, revision)
    if text is None:
        loaded = load_with_warnings(found_files(paths), known)
    else:
        loaded = resolve_source(Source("text", normalised(text)), known)
    return after_warning(loaded, warned)


_READ = 'read one with load("my.circuit"), which has the circuits of a file as .circuits'


def document_of(
    given: Document | str | os.PathLike[str], function: str, model: AnyModel | None = None, revision: str | None = None
) -> Document:
    """A document as it is, or that of a file, read against the model that it is to be checked on.

    Raises InputError for what is neither, SpecError for wrong text.
    """
    if isinstance(given, str | os.PathLike):
        return load(given, model=model, revision=revision)
    require(given, Document, f"{function} takes a document or a file", _READ)
    return given


AnyCircuit = Circuit | str | os.PathLike[str]
"""A circuit, or the file that holds one: "mini/ioi"; "my.circuit:name" where it holds several; "HEAD:my.circuit" is the
file as git has it."""


def circuit_of(
    given: AnyCircuit, function: str, what: str, model: AnyModel | None = None, revision: str | None = None
) -> Circuit:
    """A circuit as it is, or the one of a file, read against the model that it is to be measured on.

    Raises InputError for what is no circuit, SpecError for wrong text.
    """
    if isinstance(given, str | os.PathLike):
        return circuit_in(file_name(given), model, revision)
    require(given, Circuit, f"{function} takes {what}", _READ)
    return given


def circuit_in(
    written: str,
    model: AnyModel | None = None,
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> Circuit:
    """The circuit of ``file``, ``file:circuit`` or ``HEAD:file``. Raises InputError where that is not exactly one,
    SpecError for wrong text."""
    if old := at_revision(written):
        found = old.circuits(model, revision)
        if len(found) != 1:
            raise InputError(f"{old} holds {len(found)} circuits, and one is needed", f"write {old}:NAME")
        return found[0]
    path, name = file_and_name(written)
    return circuit_named(load(path, model=model, revision=revision, warned=warned), name, path)


def circuits_in(
    written: str,
    model: AnyModel | None = None,
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> tuple[Circuit, ...]:
    """The circuits of ``file``, and the one of ``file:circuit``. Raises as :func:`circuit_in`."""
    if old := at_revision(written):
        return old.circuits(model, revision)
    path, name = file_and_name(written)
    if name:
        return (circuit_in(written, model, revision, warned),)
    return load(path, model=model, revision=revision, warned=warned).circuits


def found_files(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    return [find_spec(file_name(path)) for path in paths]


def file_name(path: str | os.PathLike[str]) -> str:
    """A path as a text. Raises InputError for what no file can be called."""
    try:
        name = os.fsdecode(path)
        os.fsencode(name)
    except UnicodeError as error:
        raise InputError(f"{shown(path)} is no name of a file", "name one that exists") from error
    return name


def after_warning(loaded: Loaded, warned: Callable[[Findings], None] | None) -> Document:
    if loaded.warnings and warned is not None:
        warned(Findings(loaded.warnings, loaded.sources))
    return loaded.document


def require_blocks(document: Document, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse a document in which there is nothing to check. Raises InputError."""
    if not (document.circuits or document.comparisons or document.interventions):
        raise InputError(
            f"nothing to check in {', '.join(map(os.fsdecode, paths))}",
            "write a circuit, compare or intervention block; what is only named by `use` is not checked",
        )
