"""What several circuits do for each other's tasks on a planted model, computed a second time from its weights."""

from __future__ import annotations

from functools import cache

import pytest
from planted_algebra import Algebra, Measuring
from planted_bench import REFERENCE, SPECS, drawn, reference_of

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.comparisons import grafted
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.outcome import AtlasFunction
from samples import known

PROMPTS = 12
TASKS = {"names": "ioi", "colors": "colored_objects(shots: 0)", "movers": "ioi"}
ROLES = {
    "names": "role names at all { 0.2 1.0 1.3 1.4 }\n role inhibition at END { 2.2 }",
    "colors": "role gatherer at END { 1.1 1.5 }\n role inhibition at END { 2.4 }",
    "movers": "role mover at END { 3.2 4.0 5.1 5.3 }",
}
AGAINST = {"ioi": "abc", "colored_objects": "other_query"}


@cache
def circuits() -> tuple[Circuit, ...]:
    text = "".join(
        f"circuit {name} {{ model planted-reuse task {task}\n"
        f" method {{ prompts {PROMPTS} reference {REFERENCE} }}\n {ROLES[name]} }}\n"
        for name, task in TASKS.items()
    )
    return resolve_text(text, str(SPECS / "several.circuit"), cd.environment()).circuits


@cache
def measured() -> AtlasFunction:
    return cd.measure_atlas(*circuits())


@cache
def by_hand(task: str) -> Measuring:
    algebra = Algebra(PLANTED["planted-reuse"]())
    reference = reference_of("planted-reuse", task, AGAINST[task])
    return Measuring(algebra, drawn("planted-reuse", task, PROMPTS), AGAINST[task], reference)


@pytest.mark.parametrize("place", range(len(TASKS)))
@pytest.mark.parametrize("task", range(len(TASKS)))
def test_every_cell_is_what_the_weights_say(place: int, task: int):
    source, onto = circuits()[place], circuits()[task]
    nodes = source.nodes if place == task else grafted(source, onto, ()).nodes
    truth, cell = by_hand(onto.task.name), measured().cell(place, task)
    assert known(cell.faithfulness.value) == pytest.approx(truth.faithfulness(nodes), abs=2e-4)
    assert known(cell.knockout.value) == pytest.approx(truth.knockout(nodes), abs=2e-4)


def test_intervals_hold_for_all_cells_together():
    found = measured()
    assert found.confidence == 0.95
    assert found.each == pytest.approx(1 - 0.05 / 9)
    own = known(found.cell(0, 0).knockout.low), known(found.cell(0, 0).knockout.high)
    assert own[0] < known(found.cell(0, 0).knockout.value) < own[1] < 0


def test_what_was_measured_stands_in_the_store(tmp_path):
    store = cd.Store.in_folder(tmp_path)
    first = cd.measure_atlas(*circuits(), store=store)
    again = cd.measure_atlas(*circuits(), store=store)
    assert first.cost.experiments > 0 == again.cost.experiments
    assert again.cells == first.cells == measured().cells


def test_shares_of_a_task_that_the_model_does_not_do_are_withheld():
    text = "".join(
        f"circuit c{number} {{ model planted-colors task ioi\n method {{ prompts 12 reference 2 seed {number} }}\n"
        f" role mover at END {{ {heads} }} }}\n"
        for number, heads in enumerate(("3.1", "3.4", "2.0"))
    )
    found = cd.measure_atlas(*resolve_text(text, "broken.circuit", cd.environment()).circuits)
    assert {each.verdict is Verdict.HOLDS for each in found.performance} == {False}
    assert all(cell.faithfulness.value is None and "does not do this task" in cell.note for cell in found.cells)


def test_circuits_of_several_models_are_compared_on_paper_only():
    other = cd.load("specs/mini/ioi.circuit").circuits[0]
    with pytest.raises(cd.InputError, match="function can be compared only within one model"):
        cd.measure_atlas(*circuits(), other)
    assert len(cd.atlas(*circuits(), other).pairs) == 6
