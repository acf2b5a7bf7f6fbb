"""The formats of reports by name."""

from __future__ import annotations

import json
from dataclasses import replace

from report_samples import report

from circuitdsl.report import output
from circuitdsl.report.formats import formats
from circuitdsl.report.output import View


def test_ours_are_there_under_their_names_and_say_what_they_are():
    assert {"text", "json", "junit", "sarif"} <= set(formats())
    for name, each in formats().items():
        assert each.name == name
        assert each.about


def test_each_gives_the_report_as_a_text_that_ends_its_line():
    texts = {name: each.render(report(), View()) for name, each in formats().items()}
    assert all(text.endswith("\n") and text.strip() for text in texts.values())
    assert len(set(texts.values())) == len(texts)
    assert json.loads(texts["json"]) == json.loads(json.dumps(report().to_dict()))


def test_text_follows_the_view():
    render = formats()["text"].render
    shown = {
        name: render(report(), view)
        for name, view in {
            "usual": View(),
            "verbose": View(verbose=True),
            "quiet": View(quiet=True),
            "narrow": View(width=60),
        }.items()
    }
    assert len(shown["quiet"]) < len(shown["usual"]) < len(shown["verbose"])
    assert max(map(len, shown["narrow"].splitlines())) <= 60 < max(map(len, shown["usual"].splitlines()))
    assert not any("\x1b" in text for text in shown.values())


def test_colours_are_those_that_the_environment_allows(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    render = formats()["text"].render
    assert "\x1b[" in render(report(), View(colour=True))
    assert "\x1b" not in render(report(), replace(View(colour=True), colour=False))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in render(report(), View(colour=True))


def test_colours_on_a_pipe_are_forced_and_never_in_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert output.view_of().colour
    assert not output.view_of(tmp_path / "report.txt").colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.view_of().colour
