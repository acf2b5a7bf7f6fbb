"""Control tasks and controls: what they mean once resolved, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from circuitdsl import api
from circuitdsl.language.circuit import Bound, Circuit, Nodes, OnTask
from circuitdsl.language.controls import CONTROLS, KNOWN, control_of
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.format import format_source
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.registry import measure_infos

HEAD = "circuit a { model mini task ioi role mover at END { 3.0 3.2 } "


def circuit(body: str) -> Circuit:
    (found,) = resolve_text(HEAD + body + "}", "a.circuit", api.environment()).circuits
    return found


def test_a_control_task_is_a_knockout_of_all_heads_at_all_positions_on_that_task():
    found = circuit("control task colored_objects(shots: 0)")
    (claim,) = [claim for claim in found.claims if claim.kind == "control task"]
    assert (
        claim.id == "a:control task colored_objects(shots: 0)"
        and claim.text == "control task colored_objects(shots: 0)"
    )
    arguments = dict(claim.term.arguments)
    where, nodes = arguments["task"], arguments["heads"]
    assert isinstance(where, OnTask) and isinstance(nodes, Nodes)
    assert {str(node) for node in nodes.nodes} == {"3.0 at all", "3.2 at all"}
    assert claim.bound == Bound("inside", -0.01, 0.01)
    assert where.task == TaskRef("colored_objects", (("shots", 0),))
    assert found.tasks == (TaskRef("ioi"), where.task)
    there = found.on(where)
    assert there.task == where.task
    assert there.method.against == "other_query" and found.method.against == "abc"


def test_its_bound_may_be_written():
    found = circuit("control task colored_objects : in -10% .. 10%")
    assert found.claims[-1].bound == Bound("in", -0.1, 0.1)


def test_control_remains_a_name():
    role, claim = "role control at END { 3.0 }", "expect knockout(control) <= 0%"
    text = f"circuit control {{\n  model mini\n  task  ioi\n  {role}\n  {claim}\n}}\n"
    (found,) = resolve_text(text, "a.circuit", api.environment()).circuits
    assert found.name == "control" and found.roles[0].name == "control"
    assert format_source(text) == text


def test_control_tasks_share_columns():
    written = "control task ioi:in -10%..10% control\n\t task colored_objects(shots:0):<=5%"
    assert format_source(f"circuit a {{ {written} }}") == (
        "circuit a {\n"
        "  control task ioi                       : in -10% .. 10%\n"
        "  control task colored_objects(shots: 0) : <= 5%\n"
        "}\n"
    )


def test_a_comment_may_stand_between_its_words():
    (found,) = resolve_text(
        HEAD + "control # of another kind\n task colored_objects }", "a", api.environment()
    ).circuits
    assert found.claims[-1].kind == "control task"


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ("control task ioi", "C521"),
        ("control task ioa", "C202"),
        ("control task colored_objects control task colored_objects : in -10% .. 10%", "C215"),
        ("control task colored_objects : in -10 .. 10", "C503"),
        ("expect dependence < chance", "C505"),
        ("expect dependence > random heads", "C505"),
        ("expect knockout(mover) > random edges", "C505"),
    ],
)
def test_what_is_wrong_is_said(claim: str, code: str):
    with pytest.raises(SpecError) as caught:
        circuit(claim)
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {code}


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("expect faithfulness > random heads", "sufficiency"),
        ("expect necessity > random heads", "necessity"),
        ("expect dependence > chance", "independence"),
        ("expect dependence <= 0.3", "independence"),
        ("expect knockout(mover) < random heads", "random heads"),
        ("expect effect(mover -> logits) > random edges", "random edges"),
        ("expect effect(mover -> logits) > sham", "sham"),
        ("expect knockout(mover) > sham", "sham"),
        ("control task colored_objects", "control task"),
        ("expect faithfulness >= 80%", ""),
        ("edge mover -> logits : raises", ""),
    ],
)
def test_which_control_a_claim_tries(claim: str, name: str):
    assert control_of(circuit(claim).claims[-1]) == name
    assert not name or name in KNOWN


def test_every_control_of_every_measurement_is_explained():
    named = {control for info in measure_infos().values() for control in info.controls}
    assert named <= set(CONTROLS)
    assert set(KNOWN) <= {*CONTROLS, *measure_infos()}
    for control in CONTROLS.values():
        said = " ".join(api.explain(control.name).split())
        assert control.null in said and control.test in said and control.claim in said
