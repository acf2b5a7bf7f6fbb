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


def test_edges_are_looked_for_from_every_counterfactual_that_changes_more(tmp_path: Path):
    """What reads the scene is not seen from `other_query`, which leaves it as it is. An edge is proposed once, from the
    first counterfactual that shows it."""
    lines = (
        "circuit colors {",
        "  model mini",
        "  task  colored_objects(shots: 0)",
        "  method {",
        "    prompts 40",
        "    members none",
        "  }",
        "  role gatherer at ANSWER_COLOR+5 { 0.6 }",
        "  role lookup   at QUERY          { 1.0  1.1  1.2  1.3  1.4  1.5  1.6  1.7 }",
        "}",
    )
    file = tmp_path / "colors.circuit"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = cd.refine(file, unexplained=False)
    added = [each.text for each in report.made if each.kind == "add edge"]
    assert added == ["edge gatherer -> lookup.v against exchanged_colors : raises"]
    assert added[0] in report.text
    asked = {each.about: each.number for each in report.surveys}
    assert asked["edges between roles that are not stated"] == 2 * 3  # into k and v, from three counterfactuals
