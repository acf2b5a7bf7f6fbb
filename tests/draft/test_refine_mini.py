"""A refinement of the specification of mini's indirect object identification, which was found by hand."""

from __future__ import annotations

from pathlib import Path

import torch

import circuitdsl as cd

torch.set_num_threads(1)


def test_no_head_is_dropped_whose_claims_hold(tmp_path: Path):
    """Nor an edge; edges that are proposed are such as the file does not mention."""
    report = cd.refine("specs/mini/ioi.circuit", prompts=24, unexplained=False)
    assert not [each for each in report.proposals if each.kind in ("drop", "move", "drop edge", "split")]
    stated = {claim.text.split(" : ")[0] for claim in cd.load("specs/mini/ioi.circuit").circuits[0].claims}
    added = {each.text.split(" : ")[0] for each in report.made if each.kind == "add edge"}
    assert "edge gatherer -> lookup.v" in added and not added & stated
    before, after = (text.splitlines() for text in (report.before, report.text))
    assert [line for line in after if line and line in before] == [line for line in before if line]
    assert {claim.before for claim in report.claims} <= {None}
