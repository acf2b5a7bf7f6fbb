"""Whole checks on real models: how many prompts are drawn, what variants and errors become, what is counted."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import math
from dataclasses import replace

import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine.store import Store
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models import open_model
from circuitdsl.outcome import Report
from circuitdsl.report import output
from circuitdsl.report.pages.report import render
from circuitdsl.tasks.invented import world
from circuitdsl.tasks.relations import written

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def mini():
    return open_model("mini").bridge


def checked(body: str, model=None, head: str = "model mini\n task ioi", **settings) -> Report:
    text = f"circuit c {{\n {head}\n {body}\n}}\n"
    return cd.check(resolve_text(text, "c.circuit", cd.environment()), model=model, **settings)


def claims(report: Report) -> dict[str, tuple[str, int]]:
    return {o.claim.text: (str(o.verdict), o.prompts) for o in report.circuits[0].claims}


def test_more_prompts_are_drawn_only_for_what_is_open(mini):
    clean = checked("method { prompts 40 }\n expect logit_diff >= 0\n", mini, unexplained=False)
    middle = clean.circuits[0].claims[0].estimate.value
    report = checked(
        f"method {{ prompts 40 to 160 }}\n expect logit_diff >= 1\n expect logit_diff >= {middle:.6f}\n",
        mini,
        unexplained=False,
    )
    (easy, hard) = report.circuits[0].claims
    assert (easy.verdict, easy.prompts) == (Verdict.HOLDS, 40)
    assert hard.prompts > 40
    assert report.circuits[0].prompts == hard.prompts
    assert easy.confidence == hard.confidence == 0.95
    assert f"1 claim took 40 prompts, the others more: 1 on {hard.prompts}" in str(report)
    assert "claim took" not in str(clean)
    assert "(40 prompts)" in output.to_text(render(report, verbose=True), 100)


def test_an_open_claim_at_the_last_look_is_undecided(mini):
    report = checked("method { prompts 30 }\n expect logit_diff >= 0\n", mini, unexplained=False)
    middle = report.circuits[0].claims[0].estimate.value
    report = checked(f"method {{ prompts 30 }}\n expect logit_diff >= {middle:.6f}\n", mini, unexplained=False)
    assert report.circuits[0].claims[0].verdict is Verdict.UNDECIDED
    assert report.exit_code == 3


def test_variants_are_judged_beside_the_claim(mini):
    method = "method { prompts 60 reference 4\n vary ablate: zero, resample }"
    body = f"{method}\n role r at END {{ 3.0 }}\n expect knockout(r) <= 500%\n"
    report = checked(body, mini, unexplained=False)
    (outcome,) = (o for o in report.circuits[0].claims if o.claim.term.measure == "knockout")
    assert [(v.setting, v.setting_value) for v in outcome.variants] == [("ablate", "zero"), ("ablate", "resample")]
    values = {v.estimate.value for v in outcome.variants} | {outcome.estimate.value}
    assert len(values) == 3


def test_an_experiment_that_cannot_be_run_is_an_error_and_the_rest_is_judged(mini, tmp_path):
    lines = [
        {
            "prompt": "Then, Mary and John went to the store. John gave a ball to",
            "answer": " Mary",
            "wrong": [" John"],
            "counterfactuals": {"abc": "Then, Mary and John went to the store. Mary gave a ball to"},
            "positions": {"IO": [6, 10], "S2": [39, 43]},
            "template": "one",
        },
        {
            "prompt": "Then, John and Mary went to the store. John gave a ball to",
            "answer": " Mary",
            "wrong": [" John"],
            "counterfactuals": {"abc": "Then, John and Mary went to the store. Mary gave a ball to"},
            "positions": {"S2": [39, 43]},
            "template": "one",
        },
    ]
    path = tmp_path / "my.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    body = "method { prompts 2 }\n expect attention({3.0 at END}, END -> IO) >= 0%\n expect probability >= 0.1%\n"
    report = checked(body, mini, head=f'model mini\n task file("{path}")', unexplained=False)
    error, fine = report.circuits[0].claims
    assert error.verdict is Verdict.ERROR
    assert "John and Mary" in error.note and "IO" in error.note
    assert fine.verdict is Verdict.HOLDS
    assert report.exit_code == 4


def test_the_report_is_json_without_nan(mini):
    report = checked(
        "method { prompts 30 reference 4 }\n role r at END { 3.0 3.1 }\n expect faithfulness > random heads\n", mini
    )
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["schema"] == "circuitdsl/report/10"
    assert report.cost.passes == pytest.approx(report.cost.prompt_passes / 30, abs=0.01)
    assert all(math.isfinite(o.estimate.value) for o in report.circuits[0].claims if o.estimate.value is not None)


def test_unexplained_heads_are_unlisted_and_above_the_floor(mini):
    report = checked("method { prompts 30 reference 4\n floor 5% }\n role r at END { 3.0 }\n", mini).circuits[0]
    assert report.unexplained
    for row in report.unexplained:
        assert row.head != "3.0"
        assert abs(row.estimate.value or 0) > 0.05
    sizes = [abs(row.estimate.value or 0) for row in report.unexplained]
    assert sizes == sorted(sizes, reverse=True)


def test_a_model_of_another_shape_is_refused(mini):
    with pytest.raises(InputError, match="was resolved for"):
        checked("expect logit_diff >= 0\n", mini, head="model planted-ioi\n task ioi")


def test_progress_ends_where_the_cost_does(mini):
    seen = []
    report = checked(
        "method { prompts 30 reference 4 }\n role r at END { 3.0 }\n edge r -> logits\n",
        mini,
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert seen[-1] == (report.cost.prompt_passes, report.cost.prompt_passes, "c")
    assert all(done <= total for done, total, _ in seen)


def test_fewer_prompts_on_request(mini):
    text = "circuit c {\n model mini\n task ioi\n expect logit_diff >= 0\n}\n"
    document = resolve_text(text, "c.circuit", cd.environment())
    assert cd.check(document, model=mini, prompts=25, unexplained=False).circuits[0].claims[0].prompts == 25


def test_a_store_spares_the_second_check_and_one_more_claim_runs_alone(mini, tmp_path):
    store = Store.in_folder(tmp_path)
    body = "method { prompts 30 reference 4 }\n role r at END { 3.0 3.1 }\n expect faithfulness >= 0%\n"
    first = checked(body, mini, store=store)
    again = checked(body, mini, store=store)
    assert first.cost.experiments > 0
    assert (again.cost.experiments, again.cost.prompt_passes) == (0, 0)
    assert again.cost.kept == first.cost.experiments + first.cost.kept
    assert [o.estimate for o in again.outcomes] == [o.estimate for o in first.outcomes]
    more = checked(body + "expect completeness(r) <= 100\n", mini, store=store)
    assert 0 < more.cost.experiments <= 2


def test_a_workbench_remembers_without_a_store(mini):
    bench = Workbench(mini)
    document = resolve_text(
        "circuit c {\n model mini\n task ioi\n method { prompts 30 reference 4 }\n role r at END { 3.0 }\n}\n",
        "c",
        cd.environment(),
    )
    assert bench.check(cd.plan(document)).cost.prompt_passes > 0
    assert bench.check(cd.plan(document)).cost.prompt_passes == 0


def test_both_engines_say_the_same(mini):
    body = """
    method { prompts 8 reference 2 }
    role lookup at S2 { 1.0 1.1 }
    role fetcher at END { 3.0 3.7 }
    edge lookup -> fetcher.kv
    edge fetcher -> logits : raises
    expect effect(lookup -> fetcher.v, strict) <= 1000%
    expect faithfulness > random heads
    expect completeness(greedy) <= 100
    expect copying(fetcher, S2) <= 100%
    expect attention(fetcher, END -> S2) >= 0%
    """
    fast, plain = (checked(body, mini, engine=engine, unexplained=False) for engine in ("fast", "plain"))
    assert (fast.engine, plain.engine) == ("fast", "plain")
    assert fast.cost.prompt_passes < plain.cost.prompt_passes
    assert len({each.verdict for each in fast.outcomes}) > 1, "where nothing is decided verdicts cannot differ"
    for one, other in zip(fast.outcomes, plain.outcomes, strict=True):
        assert one.verdict is other.verdict
        assert one.estimate.value == pytest.approx(other.estimate.value, rel=1e-4, abs=1e-5)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-2, abs=1e-5)


def test_prompts_of_a_file_are_read_again_at_every_check(mini, tmp_path):
    def write(answer: str, wrong: str) -> None:
        line = {
            "prompt": "Then, Mary and John went to the store. John gave a ball to",
            "answer": f" {answer}",
            "wrong": [f" {wrong}"],
            "counterfactuals": {},
            "positions": {},
            "template": "one",
        }
        path.write_text(f"{json.dumps(line)}\n{json.dumps(line)}\n", encoding="utf-8")

    path = tmp_path / "my.jsonl"
    bench = Workbench(mini)
    text = f'circuit c {{\n model mini\n task file("{path}")\n method {{ prompts 2 }}\n expect logit_diff >= 0\n}}\n'
    estimates = []
    for answer, wrong in (("Mary", "John"), ("John", "Mary")):
        write(answer, wrong)
        document = resolve_text(text, "c.circuit", cd.environment())
        estimates.append(bench.check(cd.plan(document, unexplained=False)).circuits[0].claims[0].estimate.value)
    assert estimates[0] > 0
    assert estimates[1] == pytest.approx(-estimates[0], abs=1e-5)


def test_relations_of_a_file_are_read_again_at_every_check(tmp_path):
    """Every task that reads a file, not ``file`` alone."""
    bench = Workbench()
    text = 'circuit c {\n model facts\n task facts("w.jsonl")\n method { prompts 20 }\n expect accuracy >= 0%\n}\n'
    found = []
    for shift in (0, 1):
        relations = []
        for each in world():
            objects = [fact.object for fact in each.facts]
            turned = zip(each.facts, objects[shift:] + objects[:shift], strict=True)
            relations.append(replace(each, facts=tuple(replace(fact, object=thing) for fact, thing in turned)))
        (tmp_path / "w.jsonl").write_text(written(relations), encoding="utf-8")
        document = resolve_text(text, str(tmp_path / "c.circuit"), cd.environment())
        found.append(bench.check(cd.plan(document, unexplained=False)).circuits[0].claims[0].estimate.value)
    assert found[0] == 1 and found[1] < 0.5


def checked_file(tmp_path, lines: int, method: str):
    """A circuit of mini on the first lines of a file of one template."""
    people = ("Mary", "John", "Anna", "Tom", "Paul", "James", "Sarah")
    names = [(a, b) for a in people for b in people if a != b]
    rows = [
        json.dumps(
            {
                "prompt": f"{first} and {second} went to the park. {second} gave a ball to",
                "answer": f" {first}",
                "wrong": [f" {second}"],
                "counterfactuals": {"abc": f"{second} and Tom went to the park. Paul gave a ball to"},
            }
        )
        for first, second in names[:lines]
    ]
    (tmp_path / "my.jsonl").write_text("\n".join(rows), encoding="utf-8")
    text = f"""circuit c {{ model mini task file("my.jsonl") method {{ prompts {lines} {method} }}
      role late at END {{ 2.6 3.7 }} expect knockout(late) <= 900% }}"""
    document = resolve_text(text, str(tmp_path / "c.circuit"), cd.environment())
    return cd.check(document, model="mini", unexplained=False).circuits[0]


def test_a_report_states_its_reference_and_what_it_lacks(tmp_path):
    few = checked_file(tmp_path, 5, "ablate mean by template")
    assert few.to_dict()["reference"] == {"resampled": False, "templates": 1, "groups": [1, 1], "prompts": [5, 5]}
    (note,) = [note for note in few.notes if "the mean is taken over" in note]
    assert "5 prompts of the template file, where it should be 20" in note
    assert "too few groups of them for the intervals to know its noise: 220 prompts of each template are enough" in note

    enough = checked_file(tmp_path, 33, "ablate mean  reference 3  vary ablate: counterfactual")
    assert enough.to_dict()["reference"] == {
        "resampled": False,
        "templates": None,
        "groups": [11, 11],
        "prompts": [3, 3],
    }
    assert not [note for note in enough.notes if "taken" in note]
    (variant,) = next(claim for claim in enough.claims if claim.claim.kind == "expect").variants
    assert (variant.setting_value, variant.verdict) == ("counterfactual", "holds")


def test_a_single_prompt_of_a_template_is_told_what_to_write(tmp_path):
    alone = checked_file(tmp_path, 1, "ablate mean by template")
    assert {claim.verdict for claim in alone.claims} == {"error"}
    remedy = "write `ablate counterfactual` if that is meant, or `ablate mean`"
    assert all(remedy in claim.note for claim in alone.claims)
    for meant in ("counterfactual", "mean"):
        knockout = checked_file(tmp_path, 1, f"ablate {meant}").claims[-1]
        assert remedy not in knockout.note
        assert knockout.estimate.value is not None
