"""What an editor has open, and how places and files are called in the Language Server Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls import uris
from pygls.lsp.server import LanguageServer

from circuitdsl.editor.diagnostics import by_file
from circuitdsl.editor.measured import Measured
from circuitdsl.editor.page import Page
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.language.source import Source, Span, Unreadable, read_source
from circuitdsl.version import __version__
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from circuitdsl.check.workbench import Workbench

_PAUSE = 0.15  # seconds without a change before a page is read
_SIBLINGS = 200  # files of a folder in which a role is renamed


class Session(LanguageServer):
    """The pages that are open, what was measured, and what was said of which files.

    ``options`` are those that the editor gave when it began, ``bench`` keeps models open from claim to claim.
    """

    def __init__(self) -> None:
        super().__init__("circuitdsl", __version__)
        self.options: object = None
        self.measured = Measured()
        self.bench: Workbench | None = None
        self._pages: dict[str, tuple[str, Page]] = {}
        self._published: dict[str, frozenset[str]] = {}

    # --- pages -------------------------------------------------------------------------------------

    def page(self, uri: str) -> Page:
        """The page at an address as it is now; a text is read once."""
        text = self._text(uri)
        known = self._pages.get(uri)
        if known is None or known[0] != text:
            known = self._pages[uri] = (text, Page.read(text, path_of(uri)))
        return known[1]

    def siblings(self, page: Page) -> Iterator[Page]:
        """The other specifications of a page's folder, as they are in the editor or else on the disk."""
        for path in sorted(Path(page.path).parent.glob("*.circuit"))[:_SIBLINGS]:
            uri = address_of(str(path))
            if uri in self.workspace.text_documents:
                if str(path) != page.path:
                    yield self.page(uri)
                continue
            try:
                yield Page.read(read_source(path).text, str(path))
            except Unreadable:
                continue

    def forget(self, uri: str) -> None:
        """A page was closed: nothing is said of it any more, nor of the files that it names."""
        self._pages.pop(uri, None)
        for other in self._published.pop(uri, frozenset()):
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(other, []))

    def _text(self, uri: str) -> str:
        return self.workspace.get_text_document(uri).source

    # --- places ------------------------------------------------------------------------------------

    def place(self, uri: str, position: lsp.Position) -> tuple[int, int]:
        """Line and column of a position, counted from 1, in characters."""
        found = self.workspace.get_text_document(uri).position_from_client_units(position)
        return found.line + 1, found.character + 1

    def range(self, span: Span, sources: Mapping[str, Source]) -> lsp.Range:
        """A span in the units of the editor; of a file as a whole its beginning."""
        source = sources.get(span.file)
        lines = list(source.lines) if source else []
        return lsp.Range(
            self._position(span.line, span.column, lines), self._position(span.end_line, span.end_column, lines)
        )

    def _position(self, line: int, column: int, lines: list[str]) -> lsp.Position:
        position = lsp.Position(max(0, line - 1), max(0, column - 1))
        if position.line >= len(lines):
            return position
        return self.workspace.position_codec.position_to_client_units(lines, position)

    def location(self, page: Page, span: Span, uri: str) -> lsp.Location:
        """A span of the page at an address, or of a file that it reads."""
        return lsp.Location(self.address(page, span.file, uri), self.range(span, page.linted.sources))

    def address(self, page: Page, file: str, uri: str) -> str:
        """The address of a file that a page reads, or of the page itself."""
        return uri if file == page.path else address_of(file)

    # --- what is wrong -----------------------------------------------------------------------------

    async def publish(self, uri: str) -> None:
        """Say what is wrong with a page, once it has not been changed for a moment."""
        text = self._text(uri)
        await asyncio.sleep(_PAUSE)
        if not self._is_still(uri, text):
            return
        page = self.page(uri)
        found = await asyncio.to_thread(by_file, page)
        if not self._is_still(uri, text):
            return
        said = {self.address(page, file, uri): each for file, each in found.items()}
        for gone in self._published.get(uri, frozenset()) - set(said):
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(gone, []))
        self._published[uri] = frozenset(said)
        for address, diagnostics in said.items():
            written = [self._diagnostic(each, page) for each in diagnostics]
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(address, written))

    def _is_still(self, uri: str, text: str) -> bool:
        return uri in self.workspace.text_documents and self._text(uri) == text

    def _diagnostic(self, found: Diagnostic, page: Page) -> lsp.Diagnostic:
        help_text = [f"help: {found.remedy}"] if found.remedy else []
        lines = [found.message, *help_text, *(f"note: {note}" for note in found.notes)]
        severity = lsp.DiagnosticSeverity.Error if found.severity == "error" else lsp.DiagnosticSeverity.Warning
        where = self.range(found.span, page.linted.sources)
        return lsp.Diagnostic(
            where, "\n".join(map(visible, lines)), severity=severity, code=found.code, source="circuitdsl"
        )

    def show(self, kind: lsp.MessageType, text: str) -> None:
        """A message for whoever is at the editor."""
        self.window_show_message(lsp.ShowMessageParams(kind, "\n".join(map(visible, text.splitlines()))))


def path_of(uri: str) -> str:
    """The file of an address; of a text that has none yet, a name in the folder of the server."""
    return (uris.to_fs_path(uri) if uri.startswith("file:") else None) or "untitled.circuit"


def address_of(file: str) -> str:
    """The address of a file."""
    return uris.from_fs_path(str(Path(file).absolute())) or ""
