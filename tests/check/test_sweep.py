"""Sweeps of models whose circuits are known: what they find, what they do not, and what they cost the second time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.check.sweep import outcomes_of
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text
from circuitdsl.language.sweep import read_sweep
from circuitdsl.measures.estimands import relative_change
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample
from circuitdsl.models import open_model
from circuitdsl.models.planted.truth import TRUTHS, Truth, truth
from circuitdsl.outcome import SenderOutcome, SweepReport
from circuitdsl.plan.sweep import plan_sweep

torch.set_num_threads(1)

PROMPTS = 24
DATA = Data(TaskRef("ioi"), 0, False)
REUSE = truth("planted-reuse", "ioi")


@cache
def bridge(model: str):
    return open_model(model).bridge


def swept(model: str, task: str, *terms: str, **more) -> SweepReport:
    return cd.sweep(task, *terms, model=bridge(model), **{"prompts": PROMPTS, **more})


def found(report: SweepReport, finding: str = "beyond") -> set[str]:
    return {
        str(sender.node.component) for series in report.series for sender in series.senders if sender.finding == finding
    }


def heads(of: Truth, *roles: str) -> set[str]:
    return {str(head) for role in roles for head in of.role(role).heads}


def by_node(report: SweepReport) -> Mapping[str, SenderOutcome]:
    return {str(sender.node): sender for series in report.series for sender in series.senders}


# --- what is found ----------------------------------------------------------------------------------


@pytest.mark.parametrize("of", TRUTHS, ids=lambda each: f"{each.model}-{each.task}")
def test_what_is_planted_before_the_logits_is_found_and_nothing_else(of: Truth):
    senders = {edge.sender for edge in of.edges if edge.receiver == "logits"} - set(of.sleeping)
    report = swept(of.model, of.task)
    assert found(report) == heads(of, *senders)
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("term", "senders"),
    [
        ("heads at END -> { 3.2 4.0 }.q at END", ("inhibition",)),
        ("heads at S2 -> { 2.1 2.2 }.v", ("duplicate_token", "induction")),
        ("heads at S1+1 -> { 1.0 1.4 }.v", ("previous_token",)),
        ("heads at S1+1 -> { 2.1 2.2 }.kv", ()),
    ],
)
def test_what_feeds_planted_heads_is_found_input_by_input(term: str, senders: tuple[str, ...]):
    assert found(swept(REUSE.model, REUSE.task, term)) == heads(REUSE, *senders)


def test_planted_heads_are_found_by_knockout_and_their_backups_sleep():
    awake = {role.name for role in REUSE.roles} - set(REUSE.sleeping)
    assert found(swept(REUSE.model, REUSE.task, "knockout(heads)", ablate="mean", reference=4)) == heads(REUSE, *awake)


def test_decoys_attend_like_movers_and_only_attention_says_so():
    report = swept(REUSE.model, REUSE.task, "attention(heads, END -> IO)")
    attending = {str(s.node.component) for s in report.series[0].senders if (s.estimate.low or 0) > 0.5}
    assert attending >= heads(REUSE, "mover")
    assert attending & {str(head) for head in REUSE.decoys}
    assert found(report, "measured") == {str(s.node.component) for s in report.series[0].senders}
    assert all(s.p_holm is None for s in report.series[0].senders)


def test_senders_that_nothing_reads_are_left_out():
    (series,) = swept(REUSE.model, REUSE.task, "heads at END -> 2.1.q at END").series
    assert {node.component.layer for node in series.left_out} == {2, 3, 4, 5}
    assert {sender.node.component.layer for sender in series.senders} == {0, 1}


# --- the same statistics as everywhere --------------------------------------------------------------


def test_a_sender_has_the_figure_and_the_p_value_of_the_claim_that_says_the_same():
    spec = f"""circuit c {{ model mini task ioi method {{ prompts {PROMPTS} ablate zero }}
      expect effect(3.0 at END -> logits) outside -1% .. 1%
      expect knockout(mlp 0) outside -1% .. 1% }}"""
    document = resolve_text(spec.replace("knockout(mlp 0)", "knockout({ mlp 0 })"), "c.circuit", cd.environment())
    claims = cd.check(document, model=bridge("mini"), unexplained=False).circuits[0].claims
    report = swept("mini", "ioi", "{ 3.0 3.1 } at END -> logits", "knockout({ mlp 0 })", ablate="zero")
    ours = by_node(report)
    for claim, sender in zip(claims, (ours["3.0 at END"], ours["mlp 0 at all"]), strict=True):
        assert sender.estimate.value == claim.estimate.value
        assert sender.p_value == claim.p_value
        assert sender.estimate.low is not None and claim.estimate.low is not None
        assert sender.estimate.low < claim.estimate.low  # three intervals hold together, not each for itself
    assert report.each == pytest.approx(1 - 0.05 / 3)


def test_the_correction_counts_the_senders_of_all_terms():
    alone = by_node(swept("mini", "ioi", "3.3 at END -> logits"))["3.3 at END"]
    together = by_node(swept("mini", "ioi", "3.3 at END -> logits", "heads at S2 -> 3.7.v"))["3.3 at END"]
    assert alone.p_value == together.p_value == alone.p_holm
    assert together.p_holm is not None and alone.p_holm is not None and together.p_holm > alone.p_holm


def test_both_engines_give_the_same():
    terms = ("{ heads mlps } at END -> logits", "heads at S2 -> 3.7.v", "attention(heads, END -> S2)")
    fast, plain = (swept("mini", "ioi", *terms, engine=engine, prompts=8) for engine in ("fast", "plain"))
    assert (fast.engine, plain.engine) == ("fast", "plain")
    for ours, theirs in zip(fast.series, plain.series, strict=True):
        left, right = ({str(s.node): s.estimate.value for s in series.senders} for series in (ours, theirs))
        assert left == pytest.approx(right, rel=1e-3, abs=1e-4)


class _ManyPrompts(Bench):
    """A bench of independent prompts that no model has read."""

    def units(self, sample: Sample) -> Units:
        return units_of([Origin("one", number) for number in range(len(sample.columns))], {})


def test_features_of_a_dictionary_are_swept():
    folder = Path(__file__).parents[2] / "specs" / "features" / "brackets" / "attn1"
    declared = f'a1 at attn_out 1 from "{folder}"'
    asked: dict[str, Any] = {"model": "brackets", "dictionaries": [declared], "store": False, "prompts": 30}
    report = cd.sweep("brackets", "knockout(a1.* at END)", against="kind", ablate="counterfactual", **asked)
    (series,) = report.series
    assert len(series.senders) == 192 and report.engine == "fast"
    silent = [each for each in series.senders if each.finding == "not measured"]
    assert 50 < len(silent) < 192 and all("patch changed nothing" in each.note for each in silent)
    strongest = series.senders[0]
    assert abs(strongest.estimate.value or 0) > 0.01
    chosen = f"knockout({strongest.node.component} at END)"
    again = cd.sweep("brackets", chosen, against="kind", ablate="counterfactual", engine="plain", **asked)
    assert again.series[0].senders[0].estimate.value == pytest.approx(strongest.estimate.value, abs=1e-4)


def test_among_many_senders_at_the_floor_one_is_named_no_more_often_than_is_said():
    """All but one have the floor itself as their true effect, the hardest of all that are not beyond it."""
    generator = np.random.default_rng(0)
    plan = plan_sweep(read_sweep("induction", ["heads at END -> logits"], "planted-induction", {}, cd.environment()))
    (series,) = plan.series
    true, *rest = series.senders
    bench = _ManyPrompts(Session(PlainEngine(open_model("planted-induction"))))

    def measured(effect: float) -> Measurement:
        clean = generator.normal(3, 1, 60)
        patched = clean * (1 + effect) + generator.normal(0, 0.2, 60)
        return Measurement((Sample(DATA, np.stack([patched, clean], axis=-1)),), relative_change())

    wrong, right, sweeps = 0, 0, 40
    for _ in range(sweeps):
        known = {true: measured(-0.2), **{node: measured(0.01) for node in rest}}
        (found_,) = outcomes_of(plan, [known], bench, 60, 0.999)
        beyond = {sender.node for sender in found_.senders if sender.finding == "beyond"}
        wrong, right = wrong + bool(beyond - {true}), right + (true in beyond)
    assert right == sweeps
    assert wrong <= 5  # at 5% two of 40 are expected at most, and six or more have a chance of 1.4%


# --- tasks that are not done, and prompts of one's own ----------------------------------------------


def test_where_the_task_is_not_done_no_share_is_given_and_attention_is():
    report = swept("mini", "ioi", "heads -> logits", "attention(heads, END -> S2)", against="abc", seed=3)
    assert not any(series.withheld for series in report.series)
    lines = [json.loads(line) for line in FILE.splitlines()]
    wrong = "\n".join(json.dumps(line | {"answer": line["wrong"][0], "wrong": [line["answer"]]}) for line in lines)
    report = of_file(wrong, "heads -> logits", "knockout(heads)", "attention(heads, END -> S2)")
    effects, knockouts, attention = report.series
    assert report.performance.verdict == "fails"
    assert effects.withheld and knockouts.withheld and not attention.withheld
    assert effects.senders == knockouts.senders == ()
    assert all(sender.estimate.value is not None for sender in attention.senders)
    assert report.exit_code == 0


def _prompt(giver: str, other: str) -> dict[str, object]:
    """A prompt as mini was trained on, whose positions are told in characters."""
    text = f"When {giver} and {other} went to the store, {giver} gave a drink to"
    second = text.rindex(giver)
    return {
        "prompt": text,
        "answer": f" {other}",
        "wrong": [f" {giver}"],
        "positions": {"S2": [second, second + len(giver)]},
        "counterfactuals": {"turned": f"When {other} and {giver} went to the store, {other} gave a drink to"},
        "template": "one",
    }


_NAMES = ("Mary", "John", "Anna", "Tom", "Paul", "Kate")
FILE = "\n".join(json.dumps(_prompt(a, b)) for a in _NAMES for b in _NAMES if a != b)
_PATH = "own prompts.jsonl"


def of_file(text: str, *terms: str) -> SweepReport:
    Path(_PATH).write_text(text + "\n", encoding="utf-8")
    return cd.sweep(_PATH, *terms, model=bridge("mini"), prompts=PROMPTS)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def test_a_file_of_prompts_needs_no_circuit():
    report = of_file(FILE, "{ heads mlps } at END -> logits", "heads at S2 -> 3.7.v")
    assert str(report.circuit.task) == f'file("{_PATH}")'
    assert report.performance.verdict == "holds"
    assert found(report)
    assert report.prompts == PROMPTS


def test_of_a_task_without_a_counterfactual_paths_cannot_be_measured_and_knockouts_can():
    lines = [{k: v for k, v in json.loads(line).items() if k != "counterfactuals"} for line in FILE.splitlines()]
    report = of_file("\n".join(map(json.dumps, lines)), "heads -> logits", "knockout({ 3.0 mlp 0 })")
    effects, knockouts = report.series
    assert effects.failed and not knockouts.failed
    assert "counterfactual" in effects.senders[0].note
    assert report.exit_code == 4


# --- the store --------------------------------------------------------------------------------------


def test_what_was_swept_is_not_run_again_and_checks_answer_sweeps(tmp_path: Path):
    store = Store.in_folder(tmp_path)
    first = swept("mini", "ioi", "knockout(heads)", store=store, prompts=8, ablate="zero")
    second = swept("mini", "ioi", "knockout(heads)", store=store, prompts=8, ablate="zero")
    assert first.cost.experiments > 32 and second.cost.experiments == second.cost.prompt_passes == 0
    assert [s.estimate for s in first.series[0].senders] == [s.estimate for s in second.series[0].senders]
    other = Store.in_folder(tmp_path / "other")
    spec = "circuit c { model mini task ioi method { prompts 8 ablate zero } role a at END { 3.0 } }"
    cd.check(resolve_text(spec, "c.circuit", cd.environment()), model=bridge("mini"), store=other)
    third = swept("mini", "ioi", "knockout(heads)", store=other, prompts=8, ablate="zero")
    assert third.cost.experiments == 1  # all others were looked at by the check


def test_what_is_wrong_with_the_store_is_told(tmp_path: Path):
    store = Store.in_folder(tmp_path)
    before = swept("mini", "ioi", "attention(heads, END -> S2)", store=store, prompts=8).notes
    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute("UPDATE readings SET numbers = x'00'")
    connection.close()
    after = swept("mini", "ioi", "attention(heads, END -> S2)", store=store, prompts=8).notes
    assert [note.partition(":")[0] for note in after if note not in before] == ["the results store is damaged"]


def test_so_it_is_by_a_check_of_no_circuit(tmp_path: Path):
    store = replace(Store.in_folder(tmp_path), writable=False)
    claim = "expect logit_diff >= -100"
    (tmp_path / "c.circuit").write_text(f"circuit c {{ model mini task ioi method {{ prompts 8 }} {claim} }}")
    text = f'use "c.circuit" intervention i on c {{ ablate 3.0 at END {claim} }}'
    document = resolve_text(text, str(tmp_path / "i.circuit"), cd.environment())
    report = cd.check(document, model=bridge("mini"), store=store)
    assert not report.circuits
    assert ["may only be read" in note for note in report.notes] == [True]


class _CutOff(Exception):
    pass


def test_a_sweep_that_is_cut_off_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(import_module("circuitdsl.check.sweep"), "AT_ONCE", 8)
    store = Store.in_folder(tmp_path)
    seen: list[int] = []

    def cut_off(done: int, total: int, what: str) -> None:
        seen.append(done)
        assert done <= total
        if done > 8 * 10:
            raise _CutOff

    with pytest.raises(_CutOff):
        swept("mini", "ioi", "knockout(heads)", store=store, prompts=8, ablate="zero", progress=cut_off)
    report = swept("mini", "ioi", "knockout(heads)", store=store, prompts=8, ablate="zero")
    assert 0 < report.cost.experiments < 32
    assert report.cost.kept > 8
    assert seen == sorted(seen)
