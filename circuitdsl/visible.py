"""The one function through which foreign text goes where it is shown: names of files, abouts, templates, messages.

A specification or a file of prompts is anybody's text. Shown as it is, it could move the cursor over a verdict, turn
the direction of a line, begin a line of its own, or make a picture that is no XML.
"""

from __future__ import annotations

import re

_LINES = "\t\n"
_CONTROLS = "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: 0x9b begins a sequence of a terminal as ESC [ does
_SEPARATORS = "\u2028\u2029"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they change the order in which a line is read
_NO_CHARACTERS = "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff" + "".join(
    chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF)
)
UNSEEN = re.compile(f"[{_CONTROLS}{_SEPARATORS}{_DIRECTIONS}{_NO_CHARACTERS}]")
"""A character that is not seen as one."""


def visible(text: str) -> str:
    r"""A text on one line of which everything is seen: what is no visible character is written as an escape.

    These are control characters, line ends, characters that turn the direction of writing, halves of surrogate pairs
    and code points that are no characters.

    >>> visible("fine\x1b[2K\r\n ✓ holds")
    'fine\\x1b[2K\\r\\n ✓ holds'
    """
    return UNSEEN.sub(_escape, text)


def visible_lines(text: str) -> str:
    r"""The same for a text of several lines: line feeds and tabs stay.

    >>> visible_lines("one\ntwo\x07")
    'one\ntwo\\x07'
    """
    return UNSEEN.sub(lambda found: found[0] if found[0] in _LINES else _escape(found), text)


def shown_fingerprint(fingerprint: str) -> str:
    """As many digits of a fingerprint as a line has room for; JSON has all of them."""
    return fingerprint[:12]


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
