"""The formats of reports by name.

A format is an entry point of the group ``circuitdsl.formats``: a :class:`Format`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from circuitdsl.plugins import installed, load
from circuitdsl.report.output import View

if TYPE_CHECKING:
    from circuitdsl.outcome import Report


@dataclass(frozen=True)
class Format:
    """``render`` gives a whole report as text, with a last line feed; a format for programs may ignore the view."""

    name: str
    about: str
    render: Callable[[Report, View], str]


@cache
def formats() -> Mapping[str, Format]:
    """Every format under the name of its entry point, which is the one that the command line takes."""
    return {name: load(entry) for name, entry in installed("formats").items()}
