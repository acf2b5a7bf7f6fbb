"""The text of pages: what is put into it is shown on one line and character by character (``visible``).

Pages make all their text of :class:`Text`, or hand plain strings to a :class:`Page`; both go through ``visible``, so
that no page can forget it. A line end that a page means is written as :func:`stacked`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import text as rich_text
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

from circuitdsl.visible import visible, visible_lines


class Text(rich_text.Text):
    """Text with styles, as rich has it. Strings that it is made of are foreign until they were made visible."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(visible(text), *arguments, **options)

    def append(self, text: rich_text.Text | str, style: Any = None) -> rich_text.Text:
        return super().append(visible(text) if isinstance(text, str) else text, style)


def stacked(*parts: rich_text.Text | str) -> rich_text.Text:
    """Texts one under the other."""
    return rich_text.Text("\n").join([part if isinstance(part, rich_text.Text) else Text(part) for part in parts])


@dataclass(frozen=True)
class Flow:
    """Statements one after the other, broken between them where the line ends, so that no figure is taken apart.

    A statement that is wider than a line is broken like any text. ``between`` stands between two of them in a line.
    """

    parts: Sequence[str]
    style: str = ""
    between: str = ", "

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[str] = []
        for number, part in enumerate(map(visible, self.parts), start=1):
            joined = f"{lines[-1]}{self.between}{part}" if lines else part
            ended = joined if number == len(self.parts) else f"{joined}{self.between.rstrip()}"
            if lines and cell_len(ended) > options.max_width:
                lines[-1] += self.between.rstrip()
                lines.append(part)
            else:
                lines[-1:] = [joined]
        yield from (Text(line, style=self.style) for line in lines)


class Page(Console):
    """A console that shows plain strings as :class:`Text` does, and writes to its file in a notebook too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, force_jupyter=False)

    def render_str(self, text: str, **options: Any) -> rich_text.Text:
        return super().render_str(visible(text), **options)

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """What still holds a control character came past :class:`Text`, and is made visible after it was laid out."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible_lines(segment.text), segment.style)
