"""Colours of roles, the same in the terminal and in pictures, told apart by colour-blind people too."""

from __future__ import annotations

from circuitdsl.language.circuit import Circuit

_COLOURS = (
    "#0072b2",  # the eight of Okabe and Ito, less black and the palest
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#8a6d3b",
    "#7f5fc7",
    "#5b8c2a",
    "#b0413e",
)
SHARED, LEFT, RIGHT, IDLE = "#009e73", "#0072b2", "#d55e00", "#d9dde2"
"""Of a comparison: heads of both circuits, of the left alone, of the right alone, of neither."""


def role_colours(circuit: Circuit) -> dict[str, str]:
    """A colour for each role, in the order of the specification; they repeat after ten."""
    return {role.name: _COLOURS[i % len(_COLOURS)] for i, role in enumerate(circuit.roles)}


def text_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour`` (WCAG 2 relative luminance)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#ffffff" if (1.05) / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#111111"
