"""Each wrong specification says exactly what its .expected file holds, and every code is among what they say."""

from __future__ import annotations

import re

import pytest
from wrong_specs import NAMES, WRONG, expected, rendered

from circuitdsl.language.diagnostics import codes


@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_expected_diagnostics(name: str):
    """After a change of wording that is meant: ``python tests/language/rewrite.py NAME``."""
    assert rendered(name) == expected(name).read_text(encoding="utf-8")


def test_no_expectation_without_a_specification():
    assert sorted(path.stem for path in WRONG.glob("*.expected")) == NAMES
    assert len(NAMES) >= 80


# Produced by test_files.py, of files that are too large or too many to be kept here; and by test_reading.py, of files
# of prompts that a tokenizer has read.
BY_OTHER_TESTS = {"C003", "C004", "C495", "C496"}


def test_every_code_is_produced_and_every_code_produced_is_known():
    said = {
        code for name in NAMES for code in re.findall(r"^(?:error|warning)\[(C\d+)\]", rendered(name), re.MULTILINE)
    }
    assert said | BY_OTHER_TESTS == set(codes())
