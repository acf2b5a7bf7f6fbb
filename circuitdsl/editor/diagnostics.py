"""What is wrong with a page, by the files that it is said of: the page itself, files that it uses, files of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from circuitdsl.editor.page import Page
from circuitdsl.language.diagnostics import Diagnostic, count
from circuitdsl.language.source import Span


def by_file(page: Page) -> Mapping[str, tuple[Diagnostic, ...]]:
    """Diagnostics by the file that they are about, the page's own first, () where it has none.

    What is wrong with another file is said of its name in the page, too.
    """
    found: dict[str, list[Diagnostic]] = {page.path: []}
    for diagnostic in page.diagnostics:
        found.setdefault(diagnostic.span.file, []).append(diagnostic)
    for file, others in list(found.items()):
        if file != page.path:
            found[page.path] += _where_named(page, file, others)
    return {file: tuple(each) for file, each in found.items()}


def _where_named(page: Page, file: str, others: list[Diagnostic]) -> Iterator[Diagnostic]:
    """A diagnostic at each name of a file in which something is wrong."""
    errors = any(each.severity == "error" for each in others)
    first = next((each for each in others if each.severity == "error"), others[0])
    for span in _names_of(page, file):
        yield Diagnostic(
            "C231" if errors else "C495",
            f"{count(others)} in {Path(file).name}: {first.message}",
            span,
            first.remedy,
        )


def _names_of(page: Page, file: str) -> Iterator[Span]:
    folder = Path(page.path).parent
    for each in page.names:
        named = each.symbol.kind == "file" and each.span.file == page.path
        if named and (folder / each.symbol.name).resolve() == Path(file).resolve():
            yield each.span
