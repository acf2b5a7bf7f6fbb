"""The screen: nothing that may matter is sorted out, and what is reported is what a full search reports."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import check_circuit
from circuitdsl.check.workbench import Workbench
from circuitdsl.errors import InputError
from circuitdsl.judge.screen import margin, screen
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import CircuitReport
from circuitdsl.plan.circuit import plan_circuit

torch.set_num_threads(1)

FLOOR = 0.01


def screened(coarse, fine, floor=FLOOR):
    """The screen of these figures, and what was measured finely and coarsely, in order."""
    asked, roughly = [], []

    def measure(estimates, seen, items):
        seen.extend(items)
        return {item: estimates[item] for item in items}

    left = screen(list(coarse), floor, 0.95, partial(measure, coarse, roughly), partial(measure, fine, asked))
    return left, asked, roughly


# --- the algorithm ---------------------------------------------------------------------------------


def drawn(seed: int, error: float) -> tuple[dict[str, float], dict[str, float]]:
    """Coarse and fine effects of 150 heads, most of them small, with errors of some size."""
    rng = random.Random(seed)
    fine = {f"head {i}": rng.choice((-1, 1)) * 10 ** rng.uniform(-5, 0) for i in range(150)}
    return {head: effect + rng.gauss(0, error) for head, effect in fine.items()}, fine


@given(st.integers(0, 10**6), st.floats(1e-7, 1e-3))
def test_what_reaches_the_floor_is_measured_finely_whatever_the_size_of_the_errors(seed, error):
    coarse, fine = drawn(seed, error)
    result, asked, _ = screened(coarse, fine)
    assert sorted(asked) == sorted(set(asked)) == sorted(result.rest)  # each once
    assert len(result.rest) + result.sorted_out == len(coarse)
    lost = [head for head in coarse if head not in result.rest and abs(fine[head]) >= FLOOR]
    # At most one search in twenty may lose a head; one whose effect is far over the floor never is.
    assert all(abs(fine[head]) < FLOOR + 3 * error for head in lost)


def test_a_search_loses_a_head_no_more_often_than_its_confidence_says():
    lost = 0
    for seed in range(200):
        coarse, fine = drawn(seed, 5e-4)
        result, *_ = screened(coarse, fine)
        lost += any(abs(fine[head]) >= FLOOR for head in set(coarse) - set(result.rest))
    assert lost <= 0.05 * 200


def test_small_errors_sort_out_most_of_what_is_small():
    coarse, fine = drawn(0, 1e-5)
    result, *_ = screened(coarse, fine)
    small = sum(abs(effect) < FLOOR for effect in fine.values())
    assert result.sorted_out > 0.75 * small  # all but those that teach the margin
    assert result.margin < 1e-3


def test_a_margin_wider_than_the_floor_sorts_nothing_out():
    coarse, fine = drawn(1, 0.02)
    result, asked, roughly = screened(coarse, fine)
    assert result.sorted_out == 0
    assert sorted(asked) == sorted(coarse)
    assert len(roughly) < 15  # a few tell that the rest is not worth measuring coarsely


def test_of_nothing_nothing_is_left():
    assert screened({}, {})[0].rest == ()


def test_what_has_no_coarse_figure_is_measured_finely_and_teaches_nothing():
    coarse, fine = drawn(2, 1e-6)
    unknown = [head for head in coarse if abs(fine[head]) < FLOOR][:5]
    result, *_ = screened(coarse | dict.fromkeys(unknown, math.nan), fine)
    assert set(unknown) <= set(result.rest)
    assert result.sorted_out > 0


def test_without_anything_to_learn_from_nothing_is_sorted_out():
    coarse, fine = drawn(3, 1e-6)
    result, *_ = screened(coarse, dict.fromkeys(fine, math.nan))
    assert (result.sorted_out, result.margin) == (0, math.inf)


def test_the_margin_is_students_prediction_limit():
    errors = np.random.default_rng(0).normal(size=(4000, 9))
    beyond = [abs(row[8]) > margin(list(row[:8]), 0.9, 1) for row in errors]
    assert np.mean(beyond) == pytest.approx(0.1, abs=0.015)
    assert margin([0.1, -0.1], 0.95, 100) > margin([0.1, -0.1], 0.95, 1) > 0.1
    assert margin([], 0.95, 1) == math.inf
    assert margin([0.0, 0.0], 0.95, 10) == 0.0


# --- whole checks ----------------------------------------------------------------------------------


def circuit(model: str, settings: str, task: str = "ioi", prompts: int = 16) -> Circuit:
    method = f"prompts {prompts}\n reference 2\n {settings}"
    body = f"model {model}\n task {task}\n method {{ {method} }}\n role r at END {{ 0.0 }}"
    return resolve_text(f"circuit c {{\n {body}\n}}\n", "c.circuit", cd.environment()).circuits[0]


class Searched(NamedTuple):
    """A search for unexplained heads: the bench that it ran on, the model's fingerprint before it, what it found."""

    bench: Bench
    fingerprint: str
    report: CircuitReport


@cache
def searched(given: Circuit, screen: str) -> Searched:
    bench = Workbench(screen=screen).bench(given)
    fingerprint = bench.session.engine.model.fingerprint
    return Searched(bench, fingerprint, check_circuit(plan_circuit(given, unexplained=True), bench))


@pytest.mark.parametrize(
    ("model", "settings", "task", "prompts"),
    [
        ("mini", "floor 10%", "ioi", 16),
        ("mini", "floor 5%\n ablate zero", "colored_objects", 8),
        ("planted-ioi", "floor 1%", "ioi", 8),
    ],
)
def test_the_same_heads_with_the_same_figures_are_reported_as_without_a_screen(model, settings, task, prompts):
    given = circuit(model, settings, task, prompts)
    whole, quick = (searched(given, screen).report for screen in ("", "bf16"))
    assert quick.unexplained == whole.unexplained
    assert whole.unexplained
    assert whole.screening is None and whole.to_dict()["screening"] is None
    assert quick.screening is not None
    assert quick.screening.dtype == "bfloat16"
    assert quick.screening.sorted_out > 0
    assert quick.search is not None and [count for count, _ in quick.search.looks] == [prompts]  # it is no race
    assert f"{quick.screening.sorted_out} were excluded in bfloat16" in quick.unexplained_note


def test_a_floor_below_what_bfloat16_can_tell_is_searched_in_float32():
    given = circuit("mini", "floor 1%")
    given = replace(given, method=replace(given.method, floor=1e-6))
    whole, quick = (searched(given, screen).report for screen in ("", "bf16"))
    assert quick.screening is not None and quick.screening.sorted_out == 0
    assert quick.unexplained == whole.unexplained


def test_a_screen_leaves_the_model_as_it_was_and_runs_less_of_it_in_float32():
    given = circuit("mini", "floor 10%")
    own, before, report = searched(given, "bf16")
    del own.session.engine.model.__dict__["fingerprint"]
    assert own.session.engine.model.fingerprint == before
    assert own.coarse is not None and report.screening is not None
    assert own.coarse.engine.settings != own.session.engine.settings  # so that the store tells them apart
    assert own.coarse.ran == 32  # the clean run and every unlisted head
    known = own.session.results
    rows = plan_circuit(given, unexplained=True).unlisted.values()
    assert sum(row.experiments[0] in known for row in rows) == len(rows) - report.screening.sorted_out


def test_the_plain_engine_is_not_screened_and_says_so():
    given = circuit("planted-ioi", "floor 1%")
    bench = Workbench(engine="plain", screen="bf16").bench(given)
    report = check_circuit(plan_circuit(given, unexplained=True), bench)
    assert report.screening is None
    assert any("nothing was screened" in note for note in report.notes)


def test_what_makes_no_sense_is_refused():
    document = resolve_text("circuit c {\n model mini\n task ioi\n expect logit_diff >= 0\n}\n", "c", cd.environment())
    with pytest.raises(InputError, match="no screen is called fp8"):
        cd.check(document, screen="fp8")
    with pytest.raises(InputError, match="nothing coarser"):
        cd.check(document, screen="bf16", dtype="bfloat16")


def test_a_coarse_engine_has_the_memory_and_the_progress_of_the_other():
    engine = Workbench().bench(circuit("mini", "floor 1%")).session.engine
    coarse = engine.in_dtype("bfloat16")
    assert (coarse.memory, coarse.tokens, coarse.tick) == (engine.memory, engine.tokens, engine.tick)  # type: ignore[attr-defined]
