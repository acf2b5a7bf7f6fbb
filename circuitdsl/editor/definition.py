"""Where a name is defined: roles, circuits and dictionaries in specifications, files where they lie."""

from __future__ import annotations

from pathlib import Path

from circuitdsl.editor.page import Page
from circuitdsl.language.source import Span


def definition(page: Page, line: int, column: int) -> Span | None:
    """The place where what is named here is defined; that of a file as a whole for a file's name."""
    found = page.at(line, column)
    if found is None:
        return None
    if found.symbol.kind == "file":
        path = Path(page.path).parent / found.symbol.name
        return Span.of_file(str(path)) if path.is_file() else None
    defined = page.definition(found.symbol)
    return defined.span if defined else None
