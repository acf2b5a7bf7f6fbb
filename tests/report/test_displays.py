"""What Python's functions give draws itself: a page when printed, one short line as repr, HTML in a notebook."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pandas
import pytest
from report_samples import report
from test_sweep_pages import sweep

import circuitdsl as cd
from circuitdsl.errors import InputError

PAIR = ("planted/ioi", "planted/colored_objects")


def shown() -> dict[str, Any]:
    document = cd.load(*PAIR, "planted/reuse")
    left, right, *_ = document.circuits
    return {
        "document": document,
        "circuit": left,
        "plan": cd.plan(document, unexplained=False),
        "diff": cd.diff(left, right),
        "report": report(),
        "sweep": sweep(),
    }


@pytest.fixture(scope="module", params=list(shown()))
def what(request):
    return shown()[request.param]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in ("br", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_it_is_one_short_line_as_repr(what):
    line = repr(what)
    assert line.startswith(f"<{type(what).__name__} ") and line.endswith(">")
    assert "\n" not in line and len(line) < 200


def test_it_is_printed_as_the_command_line_prints_it(what):
    assert str(what) == cd.show(what).rstrip("\n")
    assert str(what).count("\n") > 3


def test_a_notebook_gets_the_page_in_which_all_tags_are_closed(what):
    tags = Tags()
    tags.feed(what._repr_html_())
    assert not tags.open
    assert "\x1b" not in tags.text
    for line in str(what).splitlines():
        assert line.strip() in tags.text


def test_what_has_a_picture_shows_it_first():
    found = shown()
    for name in ("circuit", "diff", "sweep"):
        ET.fromstring(found[name].svg())  # it is well formed
        assert found[name]._repr_html_().index("<svg") < found[name]._repr_html_().index("<pre")
    with pytest.raises(InputError, match="no picture"):
        found["plan"].svg()


def test_markup_in_foreign_text_is_text():
    circuit = cd.load(PAIR[0]).circuits[0]
    evil = replace(circuit, about="<script>alert(1)</script>", name="<b>")
    assert "<script" not in evil._repr_html_() and "<b>" not in evil._repr_html_()


def test_a_report_is_a_frame_of_its_claims():
    found = report()
    frame = found.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["text"]) == [outcome.claim.text for outcome in found.outcomes]
    assert list(frame["verdict"]) == [str(outcome.verdict) for outcome in found.outcomes]
    assert frame["block"].iloc[0] == found.circuits[0].circuit.name


def test_an_atlas_is_a_frame_of_its_pairs():
    circuits = cd.load(*PAIR, "planted/induction").circuits
    frame = cd.atlas(*circuits).to_frame()
    assert [tuple(row) for row in frame[["left", "right"]].itertuples(index=False)] == [
        (circuits[0].name, circuits[1].name),
        (circuits[0].name, circuits[2].name),
        (circuits[1].name, circuits[2].name),
    ]
    assert list(frame["shared_nodes"]) == [len(pair.nodes.shared) for pair in cd.atlas(*circuits).pairs]
