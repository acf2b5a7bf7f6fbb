"""Circuits, their tasks and their roles, told from the words of a text alone: one that is being written has no tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*')
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_LANDMARK = re.compile(
    rf"\bcircuit\s+(?P<circuit>{_NAME})|\b(?P<other>compare|intervention)\s"
    rf"|\brole\s+(?P<role>{_NAME})(?=\s*(?:at\b|\{{))|(?<!control )\btask\s+(?P<task>{_NAME})(?:\s*\(\s*(?P<file>\"))?"
)


@dataclass
class Outline:
    """What a text says of a circuit: its task, the file of its prompts, its roles."""

    task: str = ""
    file: str = ""
    roles: list[str] = field(default_factory=list[str])


def outlines(text: str) -> Mapping[str, Outline]:
    """The circuits of a text by name."""
    blanked = _TEXT_OR_COMMENT.sub(lambda found: found[0][0] + " " * (len(found[0]) - 1), text)
    found: dict[str, Outline] = {}
    current = Outline()
    for landmark in _LANDMARK.finditer(blanked):
        if landmark["circuit"]:
            current = found.setdefault(landmark["circuit"], Outline())
        elif landmark["other"]:
            current = Outline()
        elif landmark["role"]:
            current.roles.append(landmark["role"])
        else:
            current.task = landmark["task"]
            if landmark["file"]:
                start = landmark.end("file")
                current.file = text[start : text.find('"', start)]
    return found
