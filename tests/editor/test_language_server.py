"""The language server through a real client: a process of its own that is spoken to in the protocol."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient

from circuitdsl.editor.server import CHECK
from cli.command_line import environment

TEXT = """circuit c {
  about "läuft 🙂"
  model mini
  task  ioi
  method { prompts 8 }
  role lookup  at S2  { 1.6 }
  role fetcher at END { 3.0 3.7 }
  edge lookup -> fetcher.v : raises
  expect accuracy >= 50%
}
"""
CONFIG = ClientServerConfig(
    server_command=[sys.executable, "-m", "circuitdsl", "lsp"],
    server_env=environment(),
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory):
    """The server keeps its results where nobody else does, and begins with none."""
    assert CONFIG.server_env is not None
    CONFIG.server_env["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest_lsp.fixture(scope="module", config=CONFIG)
async def client(lsp_client: LanguageClient):
    capabilities = lsp.ClientCapabilities(
        window=lsp.WindowClientCapabilities(work_done_progress=True),
        general=lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf16]),
    )
    await lsp_client.initialize_session(
        lsp.InitializeParams(capabilities, initialization_options={"reports": ["/nowhere/report.json"]})
    )
    yield
    await lsp_client.shutdown_session()


class Page:
    """A file that is open at the client."""

    def __init__(self, client: LanguageClient, path: Path, text: str):
        self.client, self.uri, self.version, self.text = client, path.as_uri(), 0, text
        self.named = lsp.TextDocumentIdentifier(self.uri)
        item = lsp.TextDocumentItem(self.uri, "circuit", 0, text)
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def write(self, text: str) -> None:
        """Another text in place of all."""
        self.version, self.text = self.version + 1, text
        named = lsp.VersionedTextDocumentIdentifier(self.version, self.uri)
        change = lsp.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(named, [change]))

    def place(self, words: str, within: int = 0) -> lsp.Position:
        """Where some words stand, in UTF-16 units."""
        before = self.text[: self.text.index(words) + within].split("\n")
        return lsp.Position(len(before) - 1, len(before[-1].encode("utf-16-le")) // 2)

    async def codes(self, uri: str = "") -> list[str]:
        """The codes of what was said last, once that is said."""
        async with asyncio.timeout(60):
            while True:
                await self.client.wait_for_notification(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
                if (uri or self.uri) in self.client.diagnostics:
                    return [str(each.code) for each in self.client.diagnostics[uri or self.uri]]


@pytest.fixture
def page(client: LanguageClient, tmp_path: Path):
    opened = Page(client, tmp_path / "c.circuit", TEXT)
    yield opened
    client.text_document_did_close(lsp.DidCloseTextDocumentParams(opened.named))


def libraries(process: int) -> str:
    """The files that a process has mapped."""
    return Path(f"/proc/{process}/maps").read_text()


async def test_what_is_wrong_is_said_while_it_is_typed(page: Page):
    assert await page.codes() == []
    page.write(TEXT.replace("50%", "50").replace("accuracy", "acuracy"))
    page.write(TEXT.replace("50%", "50"))  # what was typed in between is never said
    assert await page.codes() == ["C503"]
    (said,) = page.client.diagnostics[page.uri]
    assert said.message == "`accuracy` is a share, written in per cent\nhelp: write `50%`"
    assert (said.range.start, said.range.end) == (page.place("50"), page.place("50", 2))
    page.write(TEXT)
    assert await page.codes() == []


async def test_lines_of_files_of_prompts_are_said_where_they_stand(client: LanguageClient, tmp_path: Path):
    prompts = tmp_path / "my.jsonl"
    prompts.write_text("[]\n")
    text = 'circuit c {\n  model mini\n  task file("my.jsonl")\n  expect accuracy >= 1%\n}\n'
    page = Page(client, tmp_path / "d.circuit", text)
    assert await page.codes(prompts.as_uri()) == ["C231"]
    assert [str(each.code) for each in client.diagnostics[page.uri]] == ["C231"]
    client.text_document_did_close(lsp.DidCloseTextDocumentParams(page.named))
    while client.diagnostics[prompts.as_uri()]:
        await client.wait_for_notification(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)


async def test_certain_mistakes_have_a_quick_fix(page: Page):
    page.write(TEXT.replace("50%", "50"))
    await page.codes()
    where = lsp.Range(page.place("expect accuracy"), page.place("expect accuracy"))
    context = lsp.CodeActionContext(diagnostics=[])
    asked = lsp.CodeActionParams(page.named, where, context)
    actions = await page.client.text_document_code_action_async(asked)
    assert actions and len(actions) == 1
    action = actions[0]
    assert isinstance(action, lsp.CodeAction) and action.edit and action.edit.changes
    (edit,) = action.edit.changes[page.uri]
    assert edit.new_text == "50%" and edit.range.start == page.place("50")


async def test_names_are_completed(page: Page):
    found = await page.client.text_document_completion_async(
        lsp.CompletionParams(page.named, page.place("fetcher.v", 3))
    )
    assert isinstance(found, list)
    assert {"lookup", "fetcher"} <= {item.label for item in found if item.detail == "role"}


async def test_hover_after_characters_of_two_units(page: Page):
    page.write(TEXT.replace("  model mini", '  cite "🙂🙂" model mini'))
    place = page.place("model mini", 8)
    found = await page.client.text_document_hover_async(lsp.HoverParams(page.named, place))
    assert found and isinstance(found.contents, lsp.MarkupContent) and found.range
    assert "4 layers of 8 heads" in found.contents.value
    assert found.range.start == page.place("mini")


async def test_definition_and_renaming_of_a_role(page: Page):
    where = page.place("lookup -> fetcher", 2)
    found = await page.client.text_document_definition_async(lsp.DefinitionParams(page.named, where))
    assert isinstance(found, lsp.Location) and found.range.start == page.place("lookup  at")
    prepared = await page.client.text_document_prepare_rename_async(lsp.PrepareRenameParams(page.named, where))
    assert isinstance(prepared, lsp.Range) and prepared.start == page.place("lookup -> fetcher")
    renamed = await page.client.text_document_rename_async(lsp.RenameParams(page.named, where, "finder"))
    assert renamed and renamed.changes
    starts = [edit.range.start for edit in renamed.changes[page.uri]]
    assert sorted(starts, key=lambda each: each.line) == [page.place("lookup  at"), page.place("lookup -> fetcher")]
    with pytest.raises(Exception, match="edge cannot be a name"):
        await page.client.text_document_rename_async(lsp.RenameParams(page.named, where, "edge"))


async def test_formatting(page: Page):
    page.write("circuit c { model mini task ioi\nexpect accuracy>=50% }\n")
    options = lsp.FormattingOptions(tab_size=2, insert_spaces=True)
    found = await page.client.text_document_formatting_async(lsp.DocumentFormattingParams(page.named, options))
    assert found and found[0].new_text.startswith("circuit c {\n  model mini\n")
    page.write("circuit {")
    assert await page.client.text_document_formatting_async(lsp.DocumentFormattingParams(page.named, options)) is None


async def test_a_report_that_cannot_be_read_is_said(client: LanguageClient):
    assert any("cannot read /nowhere/report.json" in message.message for message in client.messages)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="which libraries a process has is told by /proc")
async def test_no_torch_before_a_claim_is_run(page: Page):
    await page.client.text_document_code_lens_async(lsp.CodeLensParams(page.named))
    assert page.client._server and "libtorch" not in libraries(page.client._server.pid)


async def test_a_lens_runs_one_claim_and_shows_its_figure(page: Page):
    lenses = await page.client.text_document_code_lens_async(lsp.CodeLensParams(page.named))
    assert lenses
    lens = next(each for each in lenses if each.range.start.line == page.place("expect").line)
    assert lens.command and (lens.command.title, lens.command.command) == ("check", CHECK)
    before = set(page.client.progress_reports)
    asked = lsp.ExecuteCommandParams(CHECK, lens.command.arguments)
    said = await asyncio.wait_for(page.client.workspace_execute_command_async(asked), 240)
    assert isinstance(said, str) and "on 8 prompts" in said
    (token,) = set(page.client.progress_reports) - before
    steps = page.client.progress_reports[token]
    assert isinstance(steps[0], lsp.WorkDoneProgressBegin) and isinstance(steps[-1], lsp.WorkDoneProgressEnd)
    assert steps[0].title == "circuitdsl: c, line 9"
    again = await page.client.text_document_code_lens_async(lsp.CodeLensParams(page.named))
    titles = {each.range.start.line: each.command.title for each in again or () if each.command}
    assert titles[page.place("expect").line].endswith("· check again")
    hover = await page.client.text_document_hover_async(lsp.HoverParams(page.named, page.place("expect accuracy", 9)))
    assert hover and isinstance(hover.contents, lsp.MarkupContent) and "on 8 prompts" in hover.contents.value


async def test_a_claim_that_runs_can_be_cancelled(page: Page):
    page.write(TEXT.replace("prompts 8", "prompts 4000").replace("accuracy >= 50%", "faithfulness > random heads"))
    before = set(page.client.progress_reports)
    asked = lsp.ExecuteCommandParams(CHECK, [page.uri, "c", 9])
    running = asyncio.ensure_future(page.client.workspace_execute_command_async(asked))
    while not (begun := set(page.client.progress_reports) - before):
        await asyncio.sleep(0.01)
    page.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams(begun.pop()))
    assert await asyncio.wait_for(running, 240) == "cancelled"


async def test_a_claim_that_is_gone_is_said(page: Page):
    asked = lsp.ExecuteCommandParams(CHECK, [page.uri, "c", 3])
    assert await page.client.workspace_execute_command_async(asked) is None
    assert "line 3 of c claims nothing" in page.client.messages[-1].message
