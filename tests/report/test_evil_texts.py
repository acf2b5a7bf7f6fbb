"""Whatever foreign text holds, it moves no cursor, begins no line, turns no direction and breaks no XML."""

from __future__ import annotations

import ast
import io
import json
import re
import xml.etree.ElementTree as ET
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import LEFT, RIGHT, report

import circuitdsl as cd
from benchmarks.robustness.evil_texts import EVIL, TOGETHER, harm_of, harm_of_xml, poisoned
from circuitdsl.cli.app import tell
from circuitdsl.compare.structure import compare
from circuitdsl.errors import InputError
from circuitdsl.outcome import CircuitDiff
from circuitdsl.report.formats import formats
from circuitdsl.report.output import View
from circuitdsl.report.pages.names import names_table
from circuitdsl.report.pages.prompts import render_prompts
from circuitdsl.tasks.prompts import Prompt, PromptSet
from circuitdsl.visible import UNSEEN, visible, visible_lines

ROOT = Path(__file__).parents[2]
WIDE = View(verbose=True, width=5_000)  # so that no line is folded where a forged one would begin
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

evil_texts = pytest.mark.parametrize("evil", EVIL, ids=[repr(evil) for evil in EVIL])


class Letters:
    """A tokenizer whose tokens are letters of a text."""

    def __init__(self, text: str):
        self.text = text

    def decode(self, tokens: list[int], /) -> str:
        return "".join(self.text[token % len(self.text)] for token in tokens)


SHORT, QUIET, COLOURED = replace(WIDE, verbose=False), replace(WIDE, quiet=True), replace(WIDE, colour=True)


@pytest.mark.parametrize(
    ("evil", "views"),
    [*((evil, (WIDE,)) for evil in EVIL), *((evil, (SHORT, QUIET, COLOURED)) for evil in TOGETHER)],
    ids=[*map(repr, EVIL), *range(len(TOGETHER))],
)
def test_pages(evil: str, views: tuple[View, ...], monkeypatch: pytest.MonkeyPatch):
    """Each text with all that there is to say, and several in a text in the other views."""
    monkeypatch.setenv("TERM", "xterm-256color")
    left, right, made = poisoned(LEFT, evil), poisoned(RIGHT, evil), poisoned(report(), evil)
    diff = CircuitDiff(left, right, poisoned(compare(left, right), evil))
    several = cd.atlas(left, right, replace(left, name=f"{evil} again"))
    prompt = Prompt(
        text=evil,
        tokens=tuple(range(len(evil))),
        answer=0,
        wrong=(1,),
        options=(0, 1),
        positions={"END": (len(evil) - 1,)},
        counterfactuals={"x": tuple(range(1, len(evil) + 1))},
        template=f"a {evil}",
    )
    for view in views:
        pages = [
            formats()["text"].render(made, view),
            cd.show(left, view=view),
            cd.show(diff, view=view),
            cd.show(several, view=view),
            view.text(names_table([(evil, f"about {evil}")])),
            view.text(render_prompts(PromptSet((prompt,), (f"a note {evil}",)), Letters(evil))),
        ]
        for page in pages:
            assert [*harm_of(COLOURS.sub("", page) if view.colour else page)] == []


@evil_texts
def test_messages(evil: str):
    stream = io.StringIO()
    with redirect_stderr(stream):
        tell(InputError(f"cannot read {evil}", f"name another than {evil}"))
    assert [*harm_of(stream.getvalue())] == []
    assert len(stream.getvalue().splitlines()) == 2


@evil_texts
def test_files_for_programs_hold_the_same_data_and_nothing_that_acts(evil: str):
    made = poisoned(report(), evil)
    written = formats()["json"].render(made, WIDE)
    assert json.loads(written) == json.loads(json.dumps(made.to_dict()))
    sarif = formats()["sarif"].render(made, WIDE)
    assert json.loads(sarif)["runs"]
    for text in (written, sarif):
        assert not UNSEEN.search(text.replace("\n", ""))


@pytest.mark.parametrize("evil", TOGETHER, ids=range(len(TOGETHER)))
def test_charts_are_well_formed_and_show_it_on_one_line(evil: str):
    left, right, made = poisoned(LEFT, evil), poisoned(RIGHT, evil), poisoned(report(), evil)
    atlas = cd.atlas(left, right, replace(left, name="again"))
    for what in (atlas, made):
        text = cd.show(what, "svg")
        assert [*harm_of_xml(text)] == []
        ET.fromstring(text.encode("utf-8"))
    drawn = made.chart().to_dict()["datasets"].values()
    assert any(visible(evil) in row["claim"] for rows in drawn for row in rows)


@evil_texts
def test_xml_is_well_formed(evil: str):
    left, right = poisoned(LEFT, evil), poisoned(RIGHT, evil)
    made = poisoned(report(), evil)
    for text in (
        formats()["junit"].render(made, WIDE),
        cd.show(left, "svg"),
        cd.show(CircuitDiff(left, right, compare(left, right)), "svg"),
    ):
        assert [*harm_of_xml(text)] == []
        read = ET.fromstring(text.encode("utf-8"))
        assert any(visible_lines(evil) in said for element in read.iter() for said in _said(element))


def _said(element: ET.Element) -> list[str]:
    return [element.text or "", *element.attrib.values()]


@evil_texts
def test_what_is_escaped_can_be_read(evil: str):
    shown = visible(evil)
    assert not UNSEEN.search(shown)
    assert len(shown) >= len(evil)
    assert UNSEEN.sub("", evil) == "".join(letter for letter in evil if not UNSEEN.match(letter))


def test_usual_text_stays_as_it_is():
    for text in ("the heads of Wang et al. 2022, arXiv:2211.00593", "Köpfe, 头, ראש, 🧠👩‍🔬", "±1% → ∞"):
        assert visible(text) == text


# --- the doors ---------------------------------------------------------------------------------------


def test_pages_make_text_at_the_door_and_pictures_are_written_at_theirs():
    for path in sorted((ROOT / "circuitdsl").rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name != "text.py":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom):
                    assert node.module != "rich.text", path
        if path.name != "xml.py":
            assert "ET.tostring" not in text, path
