"""The language reference says only what the language takes: its examples lint, its tables are the language's own."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.actions import actions
from circuitdsl.language.circuit import Method
from circuitdsl.language.methods import CHOICES
from circuitdsl.language.resolve import resolve_source
from circuitdsl.language.source import Source
from circuitdsl.report.pages.explain import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "language.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```circuit\n(.*?)```", TEXT, flags=re.DOTALL)


def rows(heading: str) -> dict[str, str]:
    """The rows of the first table after a heading: the first cell without its backticks, and the second."""
    table = TEXT.split(heading, 1)[1].split("\n| --- |", 1)[1]
    lines = table.split("\n\n", 1)[0].splitlines()[1:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {first.split("`")[1]: second for first, second, *_ in cells}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("{")[0].split("\n")[-1].strip())
def test_an_example_is_right_and_as_fmt_would_have_it_but_for_columns(example: str):
    loaded = resolve_source(Source(str(PAGE.with_name("example.circuit")), example), cd.environment())
    document = loaded.document
    assert loaded.warnings == ()
    assert any(part.claims for part in (*document.circuits, *document.comparisons, *document.interventions))


def test_every_block_has_an_example():
    blocks = {word for example in EXAMPLES for word in re.findall(r"^(\w+)", example, flags=re.MULTILINE)}
    assert blocks == {"circuit", "use", "compare", "intervention"}


def test_the_settings_are_those_of_the_language():
    listed = rows("### method")
    assert set(listed) == set(SETTINGS)
    assert {field.name.split("_")[0] for field in fields(Method)} == set(listed)
    for setting, values in CHOICES.items():
        assert set(re.findall(r"`([^`]+)`", listed[setting])) == set(values)


def test_the_actions_are_those_of_the_language():
    assert {action.split()[0] for action in rows("## intervention")} == set(actions())
