"""Figures of single prompts in a report that anybody may have written: within limits, with the place of a fault."""

from __future__ import annotations

import json
from array import array
from typing import Any

import pytest
from report_samples import report, schema

import circuitdsl as cd
from circuitdsl.judge.singles import Asked, Singles
from circuitdsl.report.data.recorded import recorded

ASKED = Asked(("a", "b", "c"), (0, 1, 0), (0, 0), (0.25, 0.5, 0.25))
KNOWN = Singles(ASKED, array("f", [0.1, -1.0, 2 / 3]), (-2.0, 2.0), 0.01, (2, 3), 4, 3, (None, 1.5))


def data() -> Any:
    """A report whose first claim has its figure prompt by prompt."""
    made = json.loads(json.dumps(report().to_dict()))
    made["prompts"] = {ASKED.key: ASKED.to_dict()}
    made["circuits"][0]["claims"][0]["singles"] = json.loads(json.dumps(KNOWN.to_dict()))
    return made


def test_what_is_written_is_read():
    schema().validate(data())
    first = data()["circuits"][0]["claims"][0]["id"]
    assert recorded(data(), "r").claims[first].singles == KNOWN


def test_a_report_of_an_earlier_schema_has_none():
    made = data() | {"schema": "circuitdsl/report/7"}
    del made["prompts"]
    for claim in made["circuits"][0]["claims"]:
        del claim["singles"]
    assert all(standing.singles is None for standing in recorded(made, "r").claims.values())


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("prompts", "?", "has no prompts"),
        ("values", "1 2", "2 values of 3 prompts"),
        ("values", "1 2 nan", "not all of these are numbers"),
        ("values", "1 2 x", "these are no numbers"),
        ("values", 3, "3 is not"),
        ("limits", [1], "a least and a greatest"),
        ("limits", [2, 1], "a least and a greatest"),
        ("needed", 2, "2.0 is no p-value"),
        ("looks", [0], "no numbers of prompts"),
        ("looks", list(range(1, 99)), "no numbers of prompts"),
        ("looks", [3, 2], "no numbers of prompts"),
        ("looks", [10**400], "no numbers of prompts"),
        ("several", 0, "one of 1 to 10000"),
        ("several", 10**400, "one of 1 to 10000"),
        ("taken", 4, "a place among them"),
        ("ends", [1], "no two ends"),
        ("ends", [2, 1], "no two ends"),
    ],
)
def test_a_figure_that_is_wrong(key: str, value: object, says: str):
    made = data()
    made["circuits"][0]["claims"][0]["singles"][key] = value
    with pytest.raises(cd.InputError, match=says) as caught:
        recorded(made, "r")
    assert "claims[0].singles" in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("digests", "a b", "not of the same prompts"),
        ("digests", "", "not of the same prompts"),
        ("units", "0 1 99999", "does not fit together"),
        ("units", "0 1 999999999", "no whole numbers"),
        ("strata", "0 7", "does not fit together"),
        ("strata", "0 1", "a single unit"),
        ("strata", "5 5", "does not fit together"),
        ("weights", "0 0.5 0.5", "sum to one"),
        ("weights", "3e38 1e-45 1e-45", "sum to one"),
        ("weights", "0.5 0.5 0.5", "sum to one"),
    ],
)
def test_prompts_that_are_wrong(key: str, value: str, says: str):
    made = data()
    made["prompts"][ASKED.key][key] = value
    with pytest.raises(cd.InputError, match=says):
        recorded(made, "r")
