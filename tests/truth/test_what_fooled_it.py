"""Inputs that once got verdicts that nothing supported. What is right is known by how each input is made."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import circuitdsl as cd
from benchmarks.truth.untrained import save_model
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models import open_model
from circuitdsl.outcome import CircuitReport, ClaimOutcome, Report
from circuitdsl.report.output import to_text
from circuitdsl.report.pages import report as page
from circuitdsl.tasks import open_task

torch.set_num_threads(1)

HOLDS, FAILS, OPEN = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED


def check(text: str, **settings) -> Report:
    return cd.check(resolve_text(text, "c.circuit", cd.environment()), unexplained=False, **settings)


def circuit(body: str, task: str = "ioi", model: str = "mini") -> CircuitReport:
    (found,) = check(f"circuit c {{ model {model}\n task {task}\n {body}\n}}\n").circuits
    return found


def by_text(report: CircuitReport) -> dict[str, ClaimOutcome]:
    return {outcome.claim.text: outcome for outcome in report.claims}


def contains(estimate: Estimate) -> bool:
    if estimate.value is None:
        return True
    assert estimate.low is not None and estimate.high is not None
    return estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12


def ioi_lines(count: int, templates: int = 30) -> list[dict[str, object]]:
    """Of so many prompts of ioi those of the first templates, as lines of a file, which say all that the task says."""
    tokenizer = open_model("mini").tokenizer
    prompts = open_task(TaskRef("ioi")).draw(tokenizer, count, 0, False).prompts
    chosen = sorted({prompt.template for prompt in prompts})[:templates]
    prompts = [prompt for prompt in prompts if prompt.template in chosen]
    said = tokenizer.decode
    return [
        {
            "prompt": prompt.text,
            "answer": " " + said([prompt.answer]).strip(),
            "wrong": [" " + said([token]).strip() for token in prompt.wrong],
            "counterfactuals": {"abc": said(list(prompt.counterfactuals["abc"]))},
            "positions": {
                name: _span(prompt.text, tokenizer, prompt.positions[name][-1]) for name in ("IO", "S1", "S2")
            },
            "template": prompt.template,
        }
        for prompt in prompts
    ]


def _span(text: str, tokenizer, index: int) -> list[int]:
    start, end = tokenizer(text, return_offsets_mapping=True)["offset_mapping"][index]
    return [start + (text[start] == " "), end]


def file_of(lines: list[dict[str, object]], path: Path) -> str:
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return f'file("{path}")'


# --- a model that does not do the task ---------------------------------------------------------------


@pytest.fixture(scope="module", params=[1, 2, 3])
def untrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CircuitReport:
    """A Llama of random weights that is said to do ioi by some of its heads."""
    folder = tmp_path_factory.mktemp("untrained") / "model"
    save_model("llama", request.param, folder)
    body = """
      method { prompts 60  reference 4 }
      role a at END { 2.0 2.1 2.2 1.0 1.1 1.2 }
      edge a -> logits
      no edge 0.0 at S2 -> a.v
      expect faithfulness >= 50%
      expect faithfulness > random heads
      expect knockout(a) <= -1%
      expect knockout(2.0 at END) in -1% .. 1%
      expect completeness <= 0.01
    """
    return circuit(body, model=f'"{folder}"')


def test_no_share_of_the_metric_is_decided_on_an_untrained_model(untrained: CircuitReport):
    assert untrained.performance is not None and untrained.performance.verdict is not HOLDS
    shares = [o for o in untrained.claims if o.claim.term.measure != "completeness"]
    assert {outcome.verdict for outcome in shares} == {OPEN}
    assert all(outcome.p_value is None and "does not do this task" in outcome.note for outcome in shares)
    assert untrained.exit_code in (1, 3)


def test_no_interval_leaves_its_own_value_out(untrained: CircuitReport):
    assert all(contains(outcome.estimate) for outcome in untrained.claims)
    assert all(contains(head.estimate) for head in untrained.heads)
    assert any(head.estimate.unbounded for head in untrained.heads)


def test_the_report_says_that_the_model_does_not_do_the_task(untrained: CircuitReport):
    report = check("circuit c { model mini\n task ioi\n expect logit_diff >= 0 }")
    assert "without any patch: F is logit_diff" in to_text(page.render(report), 100)
    whole = replace(report, circuits=(untrained,))
    assert "the model does not do this task on these prompts" in to_text(page.render(whole), 100)


# --- certainty from nothing --------------------------------------------------------------------------


def test_one_line_copied_forty_times_is_one_prompt(tmp_path: Path):
    task = file_of(ioi_lines(1) * 40, tmp_path / "copies.jsonl")
    found = circuit("method { ablate zero }\n expect logit_diff >= 0\n expect probability >= 1%", task)
    assert [outcome.verdict for outcome in found.claims] == [OPEN, OPEN]
    assert "1 independent prompt:" in found.claims[0].note
    assert any("1 distinct" in note for note in found.notes)


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_a_few_lines_decide_no_mean(tmp_path: Path, lines: int):
    task = file_of(ioi_lines(lines), tmp_path / "few.jsonl")
    found = circuit("method { ablate zero }\n role f at END { 2.3 2.5 }\n expect logit_diff >= 0", task)
    assert {outcome.verdict for outcome in found.claims} == {OPEN}


def test_twenty_prompts_that_agree_leave_a_width(tmp_path: Path):
    report = check(
        """
        circuit rep { model mini task ioi method { prompts 20 seed 1 }
          expect copying({ 2.3 2.5 2.6 2.7 3.0 3.3 3.7 } at END, S2) <= 0.1%
          expect accuracy >= 99%
        }
        intervention broken on rep { ablate 0.3 at S1+4
          expect accuracy - baseline >= -1%
          expect broken <= 1%
        }
        """
    )
    outcomes = [*report.circuits[0].claims, *report.interventions[0].claims]
    assert {outcome.verdict for outcome in outcomes} == {OPEN}
    for outcome in outcomes:
        assert outcome.estimate.low is not None and outcome.estimate.high is not None
        assert outcome.estimate.high - outcome.estimate.low > 0.1
        assert outcome.p_value is not None and outcome.p_value > 0.05


# --- what is estimated -------------------------------------------------------------------------------


def test_an_uneven_files_figure_does_not_move_with_the_number_of_prompts(tmp_path: Path):
    """Of two templates the first has nine lines in ten. At forty prompts there are twenty of each."""
    lines = ioi_lines(2700, templates=2)
    names = sorted({str(line["template"]) for line in lines})
    many, few = ([line for line in lines if line["template"] == name] for name in names)
    task = file_of([*many[:90], *few[:10]], tmp_path / "uneven.jsonl")
    at = {}
    for prompts in (20, 100):
        (outcome,) = circuit(
            f"method {{ prompts {prompts} }}\n expect attention(1.6 at S2, S2 -> S1) >= 0%", task
        ).claims
        at[prompts] = outcome.estimate
    assert at[100].value is not None and contains(at[20]) and at[20].low is not None and at[20].high is not None
    assert at[20].low <= at[100].value <= at[20].high
    assert at[20].value == pytest.approx(at[100].value, abs=0.05)


def test_an_item_in_many_templates_counts_once(tmp_path: Path):
    """The same lines with and without their items: as items they are as many as there are, not as many as lines."""
    lines = [line | {"item": f"item {i % 10}"} for i, line in enumerate(ioi_lines(60))]
    body = "method { ablate zero  prompts 60 }\n expect logit_diff >= 0"
    with_items = circuit(body, file_of(lines, tmp_path / "items.jsonl")).claims[0].estimate
    plain = [{key: value for key, value in line.items() if key != "item"} for line in lines]
    without = circuit(body, file_of(plain, tmp_path / "plain.jsonl")).claims[0].estimate
    assert with_items.value == pytest.approx(without.value)
    assert (with_items.low, with_items.high) != (without.low, without.high)


# --- against random heads ----------------------------------------------------------------------------


def test_less_than_random_heads_is_the_lower_tail():
    """What does better than most random pairs cannot do worse than most: both sides of one figure."""
    report = check(
        """
        circuit names { model planted-reuse task ioi method { prompts 12  reference 3 }
          role mover at END { 3.1 3.4 } }
        circuit colors { model planted-reuse task colored_objects(shots: 0) method { prompts 12  reference 3 }
          role mover at END { 3.1 3.4 } }
        compare names with colors {
          expect dissociation(names, colors) < random heads
          expect dissociation(names, colors) > random heads
        }
        """
    )
    below, above = report.comparisons[0].claims
    assert below.p_value is not None and above.p_value is not None
    assert below.p_value + above.p_value >= 1  # a figure is in both tails' counts where it ties
    assert not (below.verdict is HOLDS and above.verdict is HOLDS)
