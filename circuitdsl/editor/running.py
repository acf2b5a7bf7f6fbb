"""The claims of one line, run by themselves in a thread, with a progress that can be cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from lsprotocol import types as lsp

from circuitdsl.editor.lens import only
from circuitdsl.editor.session import Session
from circuitdsl.language.circuit import Document
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from circuitdsl.check.progress import Progress
    from circuitdsl.outcome import Report


class _Cancelled(Exception):
    """Whoever waits has enough."""


async def run_claim(session: Session, uri: str, block: str, line: int) -> str:
    """Check the claims of a block that stand on a line, and remember what came out; it is told in words.

    They are judged alone: what is corrected for many claims of a circuit is not. Raises InputError for what cannot be
    run, and for a line that claims nothing.
    """
    document = only(session.page(uri).linted.document, block, line)
    watched = await _Watched.of(session, visible(f"circuitdsl: {block}, line {line}"))
    try:
        report = await asyncio.to_thread(_checked, session, document, watched.told)
    except _Cancelled:
        return "cancelled"
    finally:
        watched.end()
    session.measured.keep(report)
    workspace = session.client_capabilities.workspace
    if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
        session.workspace_code_lens_refresh(None)
    claims = [outcome.claim for outcome in report.outcomes]
    return "\n".join(f"{claim.text}: {session.measured.of(block, claim)}" for claim in claims)


@dataclass(frozen=True)
class _Watched:
    """A progress that the editor shows, if it shows any: ``token`` is its name there, or ""."""

    session: Session
    token: str
    loop: asyncio.AbstractEventLoop

    @classmethod
    async def of(cls, session: Session, title: str) -> _Watched:
        """One that has begun."""
        window = session.client_capabilities.window
        watched = cls(session, str(uuid4()) if window and window.work_done_progress else "", asyncio.get_running_loop())
        if watched.token:
            await session.work_done_progress.create_async(watched.token)
            begin = lsp.WorkDoneProgressBegin(title, cancellable=True, percentage=0)
            session.work_done_progress.begin(watched.token, begin)
        return watched

    def told(self, done: int, total: int, what: str) -> None:
        """Progress of a check, as ``check.progress`` has it; called from the thread that runs it."""
        if not self.token:
            return
        progress = self.session.work_done_progress
        if progress.tokens[self.token].cancelled():
            raise _Cancelled
        share = min(100, int(100 * done / total)) if total else 0
        report = lsp.WorkDoneProgressReport(message=visible(what), percentage=share)
        self.loop.call_soon_threadsafe(progress.report, self.token, report)

    def end(self) -> None:
        if self.token:
            self.session.work_done_progress.end(self.token, lsp.WorkDoneProgressEnd())


def _checked(session: Session, document: Document, progress: Progress) -> Report:
    """Carried out with what the results store has; torch is loaded where it has not all."""
    from circuitdsl.check.workbench import Workbench
    from circuitdsl.engine.store import Store
    from circuitdsl.plan.plan import make_plan

    if session.bench is None:
        session.bench = Workbench(store=Store.in_folder())
    return session.bench.check(make_plan(document, unexplained=False), progress)
