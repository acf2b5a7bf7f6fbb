"""Names and what each is, a line each: the models, the tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table


def names_table(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and what is said of them, in two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
