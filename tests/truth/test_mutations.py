"""Every way of getting a true spec wrong is found out, by the claim that is about it."""

from __future__ import annotations

import pytest
from mutations import TABLES, Change
from planted_bench import bench, plain_text, resolved

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.diagnostics import SpecError

ALL = [(spec, change) for spec, changes in TABLES.items() for change in changes]


def name(value: object) -> str:
    return f"{value.edits[0][1].strip() or value.what}" if isinstance(value, Change) else str(value)


@pytest.mark.parametrize(("spec", "change"), ALL, ids=name)
def test_the_right_claim_finds_it_out(spec: str, change: Change):
    text = change.made_in(plain_text(spec))
    if change.refused:
        with pytest.raises(SpecError) as error:
            resolved(text)
        assert [d.code for d in error.value.diagnostics] == [change.refused]
        line = error.value.diagnostics[0].span.line
        assert text.splitlines()[line - 1] == change.edits[-1][1]
        return
    outcome = bench().outcome(resolved(text), change.claim)
    assert outcome.verdict is Verdict.FAILS, (outcome.estimate, outcome.note)


def test_there_are_enough():
    assert len(ALL) >= 60
    assert len({(spec, change.edits, change.fails) for spec, change in ALL}) == len(ALL)
