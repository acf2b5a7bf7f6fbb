"""How a diagnostic looks in a terminal and as JSON, and which name is taken for the one that was meant."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from circuitdsl.errors import InputError
from circuitdsl.language.codes import WARNINGS
from circuitdsl.language.diagnostics import (
    MOST_SHOWN,
    Collector,
    Diagnostic,
    SpecError,
    codes,
    count,
    nearest,
    render,
    render_all,
    suggestion,
)
from circuitdsl.language.source import Source, Span

SOURCE = Source("a.circuit", "circuit a {\n  model gpt3\n}\n")
WRONG = Diagnostic("C201", "there is no model `gpt3`", Span("a.circuit", 2, 9, 2, 13), "did you mean `gpt2`?", ("why",))


def underlined(line: str, start: int, end: int) -> list[str]:
    """The line shown and its underline, for columns ``start`` to before ``end``."""
    source = Source("a", line)
    lines = render(Diagnostic("C101", "m", Span("a", 1, start, 1, end)), source).splitlines()
    return [shown.partition("| ")[2] for shown in lines[3:5]]


def test_the_form_of_a_diagnostic():
    assert render(WRONG, SOURCE).splitlines() == [
        "error[C201]: there is no model `gpt3`",
        " --> a.circuit:2:9",
        "  |",
        "2 |   model gpt3",
        "  |         ^^^^",
        "  = help: did you mean `gpt2`?",
        "  = note: why",
    ]


def test_colours_add_nothing_but_colours():
    painted = render(WRONG, SOURCE, color=True)
    assert "\x1b[1;31merror[C201]\x1b[0m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(WRONG, SOURCE)


def test_without_a_text_or_a_line_only_the_message_is_shown():
    assert render(WRONG, None).splitlines()[:3] == [
        "error[C201]: there is no model `gpt3`",
        " --> a.circuit:2:9",
        "  = help: did you mean `gpt2`?",
    ]
    whole = Diagnostic("C001", "m", Span.of_file("b.circuit"))
    assert render(whole, None).splitlines() == ["error[C001]: m", " --> b.circuit"]


def test_a_place_of_no_width_is_still_seen():
    assert underlined("abc", 4, 4) == ["abc", "   ^"]


def test_wide_and_combining_characters_keep_the_underline_in_place():
    assert underlined("日本 x", 4, 5) == ["日本 x", "     ^"]
    assert underlined("e\u0301 x", 4, 5) == ["e\u0301 x", "  ^"]
    assert underlined("\tx", 2, 3) == [" x", " ^"]


def test_long_lines_are_cut_around_the_place():
    shown, marks = underlined("a" * 500 + "XYZ" + "b" * 500, 501, 504)
    assert shown.startswith("...a")
    assert shown.endswith("b...")
    assert len(shown) < 160
    assert shown[marks.index("^") :][: marks.count("^")] == "XYZ"
    shown, marks = underlined("x" * 1000, 1, 1001)
    assert len(marks) == marks.count("^") == 140


def test_a_place_of_several_lines_is_underlined_to_the_end_of_its_first():
    source = Source("a", "abc {\n}\n")
    assert render(Diagnostic("C101", "m", Span("a", 1, 5, 2, 2)), source).splitlines()[4] == "  |     ^"


def test_control_characters_reach_no_terminal():
    source = Source("a\x1b[2J", "x \x1b[31m \u202e y\u2028")
    found = Diagnostic("C101", "found `\x1b]0;\x07`", Span("a\x1b[2J", 1, 3, 1, 4), "\x9b1m", ("\x00",))
    assert not set(render(found, source)) & set("\x1b\x07\x9b\x00\u202e\u2028")


def test_counts_are_in_words():
    warning = Diagnostic("C490", "m", Span.of_file("a"))
    assert count([WRONG]) == "1 error"
    assert count([WRONG, WRONG, warning]) == "2 errors, 1 warning"
    assert count([warning, warning]) == "2 warnings"
    assert render_all([], {}) == ""
    assert render_all([warning], {}).endswith("\n\n1 warning")


def test_of_very_many_the_first_are_shown_and_all_are_kept():
    many = [replace(WRONG, message=f"message {number}.") for number in range(MOST_SHOWN + 3)]
    error = SpecError(many)
    assert f"message {MOST_SHOWN - 1}." in error.render()
    assert f"message {MOST_SHOWN}." not in error.render()
    assert error.render().endswith(f"\n\n{MOST_SHOWN + 3} errors; the last 3 are not shown")
    assert len(error.diagnostics) == MOST_SHOWN + 3


def test_as_json_every_field_is_there():
    assert json.loads(json.dumps(WRONG.to_dict())) == {
        "code": "C201",
        "severity": "error",
        "message": "there is no model `gpt3`",
        "file": "a.circuit",
        "line": 2,
        "column": 9,
        "end_line": 2,
        "end_column": 13,
        "help": "did you mean `gpt2`?",
        "notes": ["why"],
    }


def test_an_error_is_one_that_users_read():
    error = SpecError([WRONG], {"a.circuit": SOURCE})
    assert isinstance(error, InputError)
    assert str(error) == error.render() == render(WRONG, SOURCE) + "\n\n1 error"


def test_codes_are_stable_in_form_and_all_explained():
    assert all(len(code) == 4 and code[0] == "C" and code[1:].isdigit() for code in codes())
    assert all(text.endswith(".") for text in codes().values())
    assert set(codes()) > WARNINGS
    with pytest.raises(KeyError):
        Diagnostic("C999", "m", Span.of_file("a"))


def test_a_thing_said_twice_is_collected_once():
    collector = Collector()
    for _ in range(2):
        collector.add("C101", "m", Span.of_file("a"))
    assert len(collector) == len(collector.found) == 1


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("moover", ["mover", "other"], "mover"),
        ("end_", ["S1", "END"], "END"),
        ("s2", ["S1", "S2"], "S2"),
        ("wibble", ["mover"], None),
        ("x", [], None),
        ("m" * 10_000, ["mover"], None),
    ],
)
def test_the_nearest_name(name: str, known: list[str], meant: str | None):
    assert nearest(name, known) == meant


def test_suggestions_name_what_there_is_unless_that_is_much():
    assert suggestion("movr", ["mover"], "role") == "did you mean `mover`? the only role here: `mover`"
    assert suggestion("xxx", ["a", "b"], "role") == "roles here: `a`, `b`"
    assert suggestion("xxx", [], "role") == "there is no role here"
    many = [f"name{n}x" for n in range(20)]
    assert suggestion("name7", many, "role") == "did you mean `name7x`?"
    assert suggestion("zzz", many, "role").endswith("`name11x`, ...")
