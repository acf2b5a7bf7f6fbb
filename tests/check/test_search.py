"""The search for heads that are not listed: what it finds, on which prompts, and what it says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.check.search import Found, beyond, search, search_note
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Node
from circuitdsl.judge.evidence import FEWEST
from circuitdsl.judge.race import MISS, shows
from circuitdsl.judge.verdicts import split_confidence
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.models import Model, open_model
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit, sketch_jobs
from circuitdsl.plan.job import Started
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import Prompt

torch.set_num_threads(1)

PROMPTS = 40


class Searched(NamedTuple):
    """A search with what it was made of."""

    plan: CircuitPlan
    bench: Bench
    found: Found


@cache
def mini() -> Model:
    return open_model("mini")


def searching(task: str, prompts: int = PROMPTS, ablate: str = "mean by template", sketched: bool = False) -> Searched:
    """In mini; ``sketched``: with estimates to first order, for which it has too few heads."""
    method = f"method {{ prompts {prompts}\n reference 2\n ablate {ablate} }}"
    body = f"model mini\n task {task}\n {method}\n role r at END {{ 0.3 }}"
    circuit = resolve_text(f"circuit c {{\n {body}\n}}\n", "c.circuit", cd.environment()).circuits[0]
    plan = plan_circuit(circuit, unexplained=True)
    assert not plan.sketches
    if sketched:
        plan = replace(plan, sketches={node: Started(job) for node, job in sketch_jobs(circuit).items()})
    bench = Workbench(mini().bridge).bench(circuit)
    return Searched(plan, bench, search(plan, bench))


@cache
def of_mini() -> Searched:
    return searching("ioi")


def measured(ours: Searched, count: int) -> Mapping[Node, Measurement | Failure]:
    known = ours.bench.measure(ours.plan.unlisted.values(), count)
    return {node: known[job] for node, job in ours.plan.unlisted.items()}


# --- what is found ---------------------------------------------------------------------------------


def test_the_race_finds_what_all_heads_on_all_prompts_find():
    ours = of_mini()
    method = ours.plan.circuit.method
    whole = beyond(measured(ours, PROMPTS), len(ours.plan.unlisted), method, ours.bench)
    assert {row.head for row in ours.found.heads} == {str(node.component) for node in whole}
    assert whole
    (first, all_of_them), *_, (last, left) = ours.found.search.looks
    assert (first, all_of_them, last) == (PROMPTS // 4, len(ours.plan.unlisted), PROMPTS)
    assert len(whole) <= left < all_of_them
    assert ours.found.search.miss == MISS
    assert ours.found.search.rare == shows(PROMPTS // 4)
    said = search_note(ours.plan.circuit, ours.found)
    assert "is lost in 5% of checks at most; one that matters on" in said
    assert "where its estimate does not show it" not in said


def test_estimates_to_first_order_find_the_same_heads_on_fewer_prompts():
    ours = searching("ioi", sketched=True)
    assert ours.plan.sketches.keys() == ours.plan.unlisted.keys()
    assert ours.found.heads == of_mini().found.heads
    said = f"all were estimated to first order on {PROMPTS} prompts, and measured on {FEWEST} prompts, and those"
    assert said in search_note(ours.plan.circuit, ours.found)
    assert "less than 31% of prompts may be lost more often, where" in search_note(ours.plan.circuit, ours.found)
    (first, _), (_, second), *_ = ours.found.search.looks
    assert first == FEWEST < PROMPTS // 4
    assert second < of_mini().found.search.looks[1][1]


def test_a_metric_that_has_no_gradient_is_not_estimated():
    text = "circuit c { model gpt2\n task ioi\n method { metric METRIC\n against abc }\n role r at END { 0.3 } }"
    for metric, number in (("logit_diff", 143), ("accuracy", 0)):
        (circuit,) = resolve_text(text.replace("METRIC", metric), "c.circuit", cd.environment()).circuits
        assert len(plan_circuit(circuit, unexplained=True).sketches) == number


def test_heads_that_drop_out_are_read_on_no_more_prompts():
    ours = searching("ioi", prompts=20)
    known = [
        reading
        for job in ours.plan.unlisted.values()
        if isinstance(reading := ours.bench.session.results[job.experiments[0]], np.ndarray)
    ]
    for count, number in ours.found.search.looks:
        assert sum(len(reading) >= count for reading in known) == number
    assert sum(len(reading) == 40 for reading in known) == len(ours.found.heads)


def test_without_enough_prompts_there_is_no_race():
    ours = searching("ioi", prompts=12)
    assert ours.found.search.looks == ((12, len(ours.plan.unlisted)),)
    assert ours.found.search.miss == 0


# --- on fresh prompts ------------------------------------------------------------------------------


def mean_over_templates(values: np.ndarray, prompts: Sequence[Prompt]) -> float:
    """Templates count equally."""
    of = np.array([prompt.template for prompt in prompts])
    return float(np.mean([values[of == template].mean() for template in sorted(set(of))]))


def test_what_is_found_has_the_figures_of_the_prompts_that_come_next():
    ours = of_mini()
    assert ours.found.search.fresh == PROMPTS
    of_head = {str(node.component): job for node, job in ours.plan.unlisted.items()}
    for row in ours.found.heads:
        ablated, clean = of_head[row.head].experiments
        prompts = ours.bench.session.prompts(clean.data, 2 * PROMPTS)[PROMPTS:]
        read = [ours.bench.session.results[each] for each in (ablated, clean)]
        assert all(isinstance(each, np.ndarray) and len(each) == 2 * PROMPTS for each in read)
        changed, whole = (mean_over_templates(np.asarray(each)[PROMPTS:], prompts) for each in read)
        assert row.estimate.value == pytest.approx((changed - whole) / abs(whole))
    sizes = [abs(row.estimate.value or 0) for row in ours.found.heads]
    assert sizes == sorted(sizes, reverse=True)
    assert f"their effects are those on the {PROMPTS} prompts after these" in search_note(ours.plan.circuit, ours.found)


def test_intervals_hold_for_all_heads_that_are_reported_together():
    ours = of_mini()
    later = replace(ours.bench, start=PROMPTS)
    each = split_confidence(0.95, len(ours.found.heads))
    for row in ours.found.heads:
        (job,) = (job for node, job in ours.plan.unlisted.items() if str(node.component) == row.head)
        alone = later.measure([job], PROMPTS)[job]
        assert isinstance(alone, Measurement)
        assert row.estimate == later.estimate(alone, each)


def test_a_bench_that_begins_later_has_the_readings_and_the_units_of_later_prompts():
    ours = of_mini()
    (clean,) = {experiments[1] for experiments in (job.experiments for job in ours.plan.unlisted.values())}
    job = next(iter(ours.plan.heads.values()))
    whole, part = (replace(ours.bench, start=start).measure([job], 40 - start)[job] for start in (0, 10))
    assert isinstance(whole, Measurement) and isinstance(part, Measurement)
    assert np.array_equal(part.samples[0].columns, whole.samples[0].columns[10:])
    prompts = ours.bench.session.prompts(clean.data, 40)[10:]
    weights = replace(ours.bench, start=10).units(part.samples[0]).weights
    values = np.arange(30.0)
    assert weights @ values == pytest.approx(mean_over_templates(values, prompts))


def of_file(lines: int, prompts: int) -> Found:
    """A search over prompts of a file that has so many lines."""
    tokenizer = mini().tokenizer

    def word(token: int) -> str:
        return " " + tokenizer.decode([token]).strip()

    drawn = open_task(TaskRef("ioi")).draw(tokenizer, lines, 5, False).prompts
    rows = [{"prompt": each.text, "answer": word(each.answer), "wrong": [word(each.wrong[0])]} for each in drawn]
    Path("own.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return searching('file("own.jsonl")', prompts=prompts, ablate="zero").found


@pytest.mark.parametrize(("lines", "fresh"), [(34, 0), (50, 20)])
def test_of_a_file_the_fresh_prompts_are_those_that_it_has(
    lines: int, fresh: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    found = of_file(lines, 30)
    assert found.heads
    assert found.search.fresh == fresh
