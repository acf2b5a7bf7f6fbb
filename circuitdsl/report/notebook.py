"""Progress in a notebook: a bar under the cell while Python's functions work, taken away at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from circuitdsl.check.progress import OPENING, Progress, described, known, unwatched

_PAUSE = 0.2  # seconds between two drawings, each of which is a message to the browser


@contextmanager
def followed(progress: Progress | None) -> Iterator[Progress]:
    """The progress that is given; without one a bar where a notebook runs the code, and silence elsewhere."""
    if progress is not None:
        yield progress
    elif not _in_notebook():
        yield unwatched
    else:
        bar = CellBar()
        try:
            yield bar
        finally:
            bar.close()


def _in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this: then IPython was imported long ago, and its shell has a kernel."""
    python = sys.modules.get("IPython")
    return python is not None and hasattr(python.get_ipython(), "kernel")


class CellBar:
    """A bar in the output of the cell that runs."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html, self._drawn = HTML, time.monotonic()
        self._shown: Any = display(HTML(_bar(0, 0, OPENING)), display_id=True)

    def __call__(self, done: int, total: int, what: str) -> None:
        if time.monotonic() - self._drawn >= _PAUSE:
            self._drawn = time.monotonic()
            self._shown.update(self._html(_bar(done, total, described(done, total, what))))

    def close(self) -> None:
        """Take it away."""
        self._shown.update(self._html(""))


def _bar(done: int, total: int, what: str) -> str:
    """A bar without an end where it is not known how much is to come."""
    end = count = ""
    if known(done, total):
        end, count = f' value="{done}" max="{total}"', f": {done:,} of {total:,}"
    return f'<progress{end} style="width:14em"></progress> {escape(what)}{count}'
