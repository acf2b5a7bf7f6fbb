"""How Sphinx makes a site of these pages: `make docs`. The pages are Markdown that also reads as it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from circuitdsl.version import __version__  # noqa: E402  # from this checkout, installed or not

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "circuitdsl"
author = "The circuitdsl developers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = f"circuitdsl {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
highlight_language = "text"  # of blocks that do not say

myst_heading_anchors = 6  # every heading can be linked to, by the name that GitHub gives it
maximum_signature_line_length = 100
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


class CircuitLexer(RegexLexer):
    """Colours for specifications. Every statement begins with its word, so that no list of words is needed."""

    name = "circuit"
    tokens = {  # noqa: RUF012  # as Pygments reads it
        "root": [
            (r"^([ \t]*)([a-z]+)\b", bygroups(Text, Keyword)),
            (r"#.*", Comment.Single),
            (r'"(\\.|[^"\\\n])*"', String.Double),
            (r"\d+(\.\d+)?%?", Number),
            (r"->|<=|>=|\.\.|[<>~:]", Operator),
            (r"\w+", Name),
            (r"\n|.", Text),
        ]
    }


ELSEWHERE = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}
"""Pages of the repository's root, by the pages here that point to them."""


def _read(app: Sphinx, name: str, content: list[str]) -> None:
    """Put pages of the root in the places of the pages that point to them, and turn links to them there."""
    text = content[0]
    if name in ELSEWHERE:
        text = (ROOT / ELSEWHERE[name]).read_text(encoding="utf-8")
        text = re.sub(r"\]\((?!\w+:|#)", "](../", text).replace("](../docs/", "](")
    for page, file in ELSEWHERE.items():
        text = re.sub(rf"\]\((?:\.\./)+{file}", f"](/{page}.md", text)
    content[0] = text


def setup(app: Sphinx) -> None:
    app.add_lexer("circuit", CircuitLexer)
    app.connect("source-read", _read)
