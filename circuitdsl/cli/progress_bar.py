"""Progress on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from circuitdsl.check.progress import OPENING, described, known

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressBar:
    """Progress as a bar on standard error while it is a terminal; silence otherwise.

    It stands there as soon as it is entered. Where more is done than was expected, since undecided claims ask for more
    prompts, how much is to come is not known, and the bar shows no end.
    """

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> ProgressBar:
        self._start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        bar = self._start()
        if bar is not None:
            end = total if known(done, total) else None
            bar.update(bar.task_ids[0], completed=done, total=end, description=described(done, total, what))

    def _start(self) -> Progress | None:
        if self._bar is None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(OPENING, total=None)
            self._bar.start()
        return self._bar

    def stop(self) -> None:
        """Take the bar away; the next progress brings it back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
