"""The language server: each feature of the protocol is one call of a module beside this one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

from circuitdsl import api
from circuitdsl.editor.completion import Proposal, complete
from circuitdsl.editor.definition import definition
from circuitdsl.editor.hover import hover
from circuitdsl.editor.lens import lenses
from circuitdsl.editor.rename import rename, renamed
from circuitdsl.editor.running import run_claim
from circuitdsl.editor.session import Session, path_of
from circuitdsl.errors import InputError
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.fixes import edit_of
from circuitdsl.visible import visible

CHECK = "circuitdsl.check"
"""The command of a lens: it takes the address of a page, the name of a block and a line."""

REPORTS = "reports"
"""The initialization option that lists reports (``check --format json``) whose figures are shown."""

_KINDS = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "role": lsp.CompletionItemKind.Variable,
    "position": lsp.CompletionItemKind.EnumMember,
    "counterfactual": lsp.CompletionItemKind.EnumMember,
    "task": lsp.CompletionItemKind.Module,
    "model": lsp.CompletionItemKind.Module,
    "circuit": lsp.CompletionItemKind.Class,
    "measure": lsp.CompletionItemKind.Function,
    "option": lsp.CompletionItemKind.Property,
    "control": lsp.CompletionItemKind.Constant,
    "setting": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.Value,
}


def build_server() -> Session:
    """A server with all of its features, not started."""
    session = Session()
    _say_what_is_wrong(session)
    _answer_about_names(session)
    _change_texts(session)
    _run_claims(session)
    return session


def serve() -> None:
    """Answer on standard input and output until the editor has gone; all else that is printed is for standard error."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    build_server().start_io(stdin, stdout)


def _say_what_is_wrong(session: Session) -> None:
    @session.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        await session.publish(params.text_document.uri)

    @session.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        await session.publish(params.text_document.uri)

    @session.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        session.forget(params.text_document.uri)


def _answer_about_names(session: Session) -> None:
    @session.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[" ", "(", ">"]))
    def completion(params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        uri = params.text_document.uri
        return [_item(each) for each in complete(session.page(uri), *session.place(uri, params.position))]

    @session.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hovered(params: lsp.HoverParams) -> lsp.Hover | None:
        uri = params.text_document.uri
        page = session.page(uri)
        found = hover(page, *session.place(uri, params.position), session.measured)
        if found is None:
            return None
        where = session.range(found.span, page.linted.sources) if found.span else None
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.PlainText, found.text), where)

    @session.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def defined(params: lsp.DefinitionParams) -> lsp.Location | None:
        uri = params.text_document.uri
        page = session.page(uri)
        span = definition(page, *session.place(uri, params.position))
        return None if span is None else session.location(page, span, uri)


def _change_texts(session: Session) -> None:
    @session.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepared(params: lsp.PrepareRenameParams) -> lsp.Range | None:
        uri = params.text_document.uri
        page = session.page(uri)
        span = renamed(page, *session.place(uri, params.position))
        return None if span is None else session.range(span, page.linted.sources)

    @session.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def rename_role(params: lsp.RenameParams) -> lsp.WorkspaceEdit:
        uri = params.text_document.uri
        page = session.page(uri)
        others = tuple(session.siblings(page))
        try:
            spans = rename(page, *session.place(uri, params.position), params.new_name, others)
        except InputError as error:
            raise JsonRpcInvalidParams(f"{error.message}; {error.remedy}") from error
        sources = {path: source for each in (*others, page) for path, source in each.linted.sources.items()}
        changes: dict[str, list[lsp.TextEdit]] = {}
        for span in spans:
            edit = lsp.TextEdit(session.range(span, sources), params.new_name)
            changes.setdefault(session.address(page, span.file, uri), []).append(edit)
        return lsp.WorkspaceEdit(changes)

    @session.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatted(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        document = session.workspace.get_text_document(params.text_document.uri)
        try:
            text = api.format(document.source, path_of(params.text_document.uri))
        except SpecError:
            return None  # what is wrong is said by the diagnostics
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(len(document.lines), 0))
        return [] if text == document.source else [lsp.TextEdit(whole, text)]

    @session.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix]))
    def corrected(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return list(_quick_fixes(session, params.text_document.uri, params.range))


def _run_claims(session: Session) -> None:
    @session.feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        session.options = params.initialization_options

    @session.feature(lsp.INITIALIZED)
    def initialized(params: lsp.InitializedParams) -> None:
        named = session.options.get(REPORTS) if isinstance(session.options, dict) else None
        for path in named if isinstance(named, list) else []:
            try:
                session.measured.read(Path(str(path)))
            except InputError as error:
                session.show(lsp.MessageType.Warning, f"{error.message}\nhelp: {error.remedy}")

    @session.feature(lsp.TEXT_DOCUMENT_CODE_LENS)
    def lens(params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
        uri = params.text_document.uri
        return [
            lsp.CodeLens(
                lsp.Range(lsp.Position(each.line - 1, 0), lsp.Position(each.line - 1, 0)),
                lsp.Command(visible(each.title), CHECK, arguments=[uri, each.block, each.line]),
            )
            for each in lenses(session.page(uri), session.measured)
        ]

    @session.command(CHECK)
    async def check(uri: str, block: str, line: int) -> str | None:
        try:
            said = await run_claim(session, uri, block, line)
        except InputError as error:
            session.show(lsp.MessageType.Error, f"{error.message}\nhelp: {error.remedy}")
            return None
        session.show(lsp.MessageType.Info, said)
        return said


def _item(proposal: Proposal) -> lsp.CompletionItem:
    kind, about = _KINDS.get(proposal.kind), proposal.about or None
    return lsp.CompletionItem(proposal.label, kind=kind, detail=proposal.kind, documentation=about)


def _quick_fixes(session: Session, uri: str, where: lsp.Range) -> Iterator[lsp.CodeAction]:
    """What corrects the mistakes of a range, if that is certain."""
    page = session.page(uri)
    for found in page.linted.diagnostics:
        edit = edit_of(found, page.source)
        if edit and found.span.line <= where.end.line + 1 and where.start.line < found.span.end_line:
            place = session.range(page.source.span(edit.start, edit.end), page.linted.sources)
            change = lsp.WorkspaceEdit({uri: [lsp.TextEdit(place, edit.text)]})
            yield lsp.CodeAction(visible(found.remedy), lsp.CodeActionKind.QuickFix, edit=change)
