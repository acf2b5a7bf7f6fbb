"""The calibration, small: sampling, counting, the algebra of planted relays, and smooth figures within limits."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from benchmarks.truth.__main__ import main
from benchmarks.truth.calibration import Measuring, calibrate, measured_on
from benchmarks.truth.counts import Counts, exact_limits, total
from benchmarks.truth.judging import SIDE, Judge, Judged, in_looks
from benchmarks.truth.pieces import Piece, Settings, carry_out, pieces
from benchmarks.truth.pools import open_suite, read
from benchmarks.truth.relay import LEADS, Relay, random_relay
from benchmarks.truth.relay_claims import is_true, random_spec, truth_of
from benchmarks.truth.results import Calibration, Results
from benchmarks.truth.sampling import Pool, Record, places
from benchmarks.truth.trials import SLACK, trials
from benchmarks.truth.untrained import coin
from circuitdsl import api
from circuitdsl.components import all_heads
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.verdicts import decide
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Clean, Data, Experiment, Metric

DATA = Data(TaskRef("toy"), 0, False)
READ = Experiment(DATA, Clean(), Metric("logit_diff"))

SMOOTH = """
circuit smooth {
  model mini
  task  ioi
  method { against abc  ablate mean by template  reference 6  prompts 90 }
  role fetcher at END { 2.3  3.0 }
  expect logit_diff                    >= 0
  expect knockout(fetcher)             >= 0%
  expect effect(fetcher -> logits)     >= 0%
}
"""


# --- sampling ----------------------------------------------------------------------------------------


def pool_of(templates: str) -> Pool:
    records = tuple(Record(name, group=f"{name}{place % 2}") for place, name in enumerate(templates))
    return Pool({READ: np.arange(len(templates), dtype=float)}, {DATA: records})


@pytest.mark.parametrize("count", [1, 3, 4, 7, 12])
def test_templates_take_turns(count: int):
    records = pool_of("aaaabbbccccccc").records[DATA]
    names = [records[place].template for place in places(records, count, np.random.default_rng(count))]
    for start in range(0, count - 2, 3):
        assert sorted(names[start : start + 3]) == ["a", "b", "c"]
    assert len(names) == count
    assert max(map(names.count, names)) - min(map(names.count, "abc")) <= 1


def test_prompts_keep_their_readings_and_groups_and_are_items_of_their_own():
    drawn = pool_of("ab" * 4).draw(40, np.random.default_rng(0))
    where, records = drawn.places[DATA], drawn.records(DATA)
    assert drawn.run([READ])[READ].tolist() == where.tolist()
    assert [record.group for record in records] == [drawn.pool.records[DATA][place].group for place in where]
    assert len({record.item for record in records}) == 40 > len(set(where.tolist()))
    assert drawn.first(5).records(DATA) == records[:5]


# --- counting ----------------------------------------------------------------------------------------


def judged(low: float, high: float, at_least: float | None, at_most: float | None) -> Judged:
    bound = Bound(">=", low=at_least) if at_least is not None else Bound("<=", high=at_most)
    return Judged(low, high, decide(bound, low, high), 0.004)


def counted(low: float, high: float) -> Counts:
    counts = Counts()
    false = judged(low, high, 0.5 + 1e-9, None), judged(low, high, None, 0.5 - 1e-9)
    true = judged(low, high, 0.5 - 1e-9, None), judged(low, high, None, 0.5 + 1e-9)
    counts.add(0.5, false, true)
    return counts


def test_an_interval_above_the_truth_is_two_false_verdicts():
    counts = counted(0.6, 0.8)
    assert (counts.covered, counts.false_holds_at_least, counts.false_fails_at_most) == (0, 1, 1)
    assert (counts.false_holds_at_most, counts.false_fails_at_least, counts.undecided) == (0, 0, 0)
    assert counts.width == pytest.approx(0.2)
    assert counts.p_at_least == [0, 1, 1, 1]


def test_an_interval_around_the_truth_is_no_false_verdict_however_narrow():
    for low, high in ((0.4, 0.6), (0.5, 0.5)):
        counts = counted(low, high)
        assert counts.covered == 1
        assert counts.false_holds_at_least + counts.false_holds_at_most == 0
        assert counts.false_fails_at_least + counts.false_fails_at_most == 0
    assert counted(-np.inf, np.inf).unbounded == 1


def test_counts_add_up_and_come_back_from_json():
    both = total([counted(0.6, 0.8), counted(0.4, 0.6)])
    assert (both.samples, both.covered, both.p_at_least) == (2, 1, [0, 2, 2, 2])
    assert Counts.from_dict(json.loads(json.dumps(both.to_dict()))) == both


# --- pools -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smooth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smooth")
    (folder / "smooth.circuit").write_text(SMOOTH, encoding="utf-8")
    suite = open_suite(str(folder / "smooth.circuit"))
    return suite, read(suite, 180, folder)


def test_smooth_figures_are_covered_and_their_verdicts_seldom_wrong(smooth):
    """What is right of them has been right before: figures far from any end of their range, at 60 prompts."""
    samples = 100
    for each in calibrate(*smooth, prompts=(60,), seeds=range(samples)):
        if each.claim.kind == "member":  # a folded figure, and the largest of several
            continue
        counts = each.counts
        assert (counts.samples, counts.errors) == (samples, 0)
        assert exact_limits(samples - counts.covered, samples, 0.9999)[0] <= 2 * SIDE, each.claim.text
        for wrong in (counts.false_holds_at_least, counts.false_holds_at_most):
            assert exact_limits(wrong, samples, 0.9999)[0] <= SIDE, each.claim.text
        # An interval as wide as can be would be right always.
        assert 0 < counts.width / samples < 0.6 * abs(each.truth)
        assert counts.undecided > samples


def test_the_truth_seldom_ever_leaves_a_sequence(smooth):
    """At every look from 20 prompts to 100; a claim that is decided with its bound at the truth is wrong."""
    samples = 60
    for each in calibrate(*smooth, prompts=(20, 100), seeds=range(samples)):
        counts = each.counts
        assert exact_limits(samples - counts.covered, samples, 0.999)[0] <= 2 * SIDE, each.claim.text
        assert counts.undecided >= 2 * (samples - (samples - counts.covered)), each.claim.text
        assert counts.width / samples > 0


def test_a_bound_far_from_the_truth_is_decided(smooth):
    suite, pool = smooth
    drawn = pool.draw(60, np.random.default_rng(1))
    judge = Judge(drawn)
    whole = measured_on(pool.whole(), suite)
    for claim, measured in measured_on(drawn, suite).items():
        truth = Judge(pool.whole()).value(whole[claim])
        far = truth - abs(truth) - 0.5
        judged = judge.judge(measured, [Bound(">=", low=far), Bound("<=", high=far)])
        assert [each.verdict for each in judged] == [Verdict.HOLDS, Verdict.FAILS]


def test_looks_stop_where_a_verdict_is_certain(smooth):
    suite, pool = smooth
    drawn = pool.draw(60, np.random.default_rng(2))
    measuring = Measuring(suite, drawn)
    claim = next(iter(claim for claim in suite.claims if claim.term.measure == "logit_diff"))
    judge, measured = measuring.of(claim, 60)
    mean = judge.value(measured)
    far, near = Bound(">=", low=mean / 4), Bound(">=", low=mean)
    looks = measuring.looks(claim, 20, 60)
    assert [look.measured.prompts for look in looks] == [20, 24, 28, 34, 40, 48, 60]
    found = in_looks(looks, [far, near])
    assert [each.verdict for each in found] == [Verdict.HOLDS, Verdict.UNDECIDED]
    widths = [each.high - each.low for each in found]
    assert widths[0] > widths[1]  # the one was decided by twenty prompts, the other looked again
    (alone,) = judge.judge(measured, [near])
    assert widths[1] > alone.high - alone.low  # and a look of several has less room for error


def test_what_cannot_be_measured_on_the_pool_is_refused(tmp_path: Path):
    # A circuit that has all heads of its layer has no random heads to be compared with.
    every = " ".join(f"3.{head}" for head in range(8))
    text = f"circuit c {{ model mini task ioi role late at END {{ {every} }} expect faithfulness > random heads }}"
    (tmp_path / "few.circuit").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="no random heads"):
        read(open_suite(str(tmp_path / "few.circuit")), 60, tmp_path)


def test_the_suites_name_every_measurement_that_has_a_figure_of_its_own():
    from circuitdsl.measures.registry import comparison_measures, measures

    claims = [c for name in ("ioi", "colored_objects", "two_tasks") for c in open_suite(name).claims]
    exact = {name for name, entry in comparison_measures().items() if entry.estimator is None}
    assert {*measures(), *comparison_measures()} - exact == {claim.term.measure for claim in claims}
    assert not any(isinstance(claim.bound, Control) for claim in claims)


# --- planted relays ----------------------------------------------------------------------------------


def without_noise(start: int) -> Relay:
    """A relay without noise in its weights, with an MLP at work."""
    relays = map(random_relay, range(start, start + 1000))
    return next(r for r in relays if r.noise == 0 and any(s.mlp for s in r.stages) and r.geometry.n_layers < 5)


@pytest.mark.parametrize("start", [0, 84])
def test_figures_of_a_relay_are_what_its_wires_say(start: int, tmp_path: Path):
    """Everything claimed of it, on many prompts: within 4.5 standard errors, or so near that attention may account."""
    relay, prompts = without_noise(start), 300
    spec = random_spec(relay, start, prompts)
    (tmp_path / "prompts.jsonl").write_text(relay.prompts(prompts, start), encoding="utf-8")
    (circuit,) = api.check(spec.resolved(tmp_path), model=relay.build(), unexplained=False).circuits
    seen = 0
    for outcome in circuit.claims:
        truth = truth_of(outcome.claim, circuit.circuit, relay)
        estimate = outcome.estimate
        if truth is None or estimate.value is None or estimate.low is None or estimate.high is None:
            continue
        error = (estimate.high - estimate.low) / 4
        folded = outcome.claim.kind == "member" and truth == 0  # the size of noise is not zero
        if not folded:
            assert abs(estimate.value - truth) < 4.5 * error + 2 * SLACK, outcome.claim.text
        seen += 1
    assert seen >= len(circuit.claims) - 2


def test_a_relay_says_what_is_true_of_its_parts():
    relay = without_noise(0)
    heads = {head for stage in relay.stages for head in stage.heads}
    assert heads | set(relay.others) == set(all_heads(relay.geometry))
    assert relay.lost(set(relay.others)) == pytest.approx(0)
    for number, stage in enumerate(relay.stages):
        assert relay.lost(set(stage.heads)) == pytest.approx(1)
        assert sum(relay.lost({head}) for head in stage.heads) == pytest.approx(1)
        after = relay.stages[number + 1].heads if number + 1 < len(relay.stages) else None
        assert relay.sent(set(stage.heads), after) == pytest.approx(1)
        assert relay.sent(set(relay.others), after) == pytest.approx(0)
    assert relay.kept(heads, mlps=False) == pytest.approx(1)
    assert relay.kept(heads, mlps=True) < 1  # an MLP adds to what heads pass on
    assert relay.sent(set(relay.stages[0].heads), None) == pytest.approx(0)


def test_prompts_of_a_relay_are_of_all_templates_and_never_answer_themselves():
    relay = random_relay(1)
    lines = [json.loads(line) for line in relay.prompts(40, 1).splitlines()]
    assert len({line["template"] for line in lines}) == LEADS
    for line in lines:
        words, other = line["prompt"].split(), line["counterfactuals"]["other"].split()
        assert line["answer"].strip() in words and line["answer"] not in line["wrong"]
        source = words.index(line["answer"].strip())
        assert other[source] not in (words[source], line["wrong"][0].strip())
        for start, end in line["positions"].values():
            assert line["prompt"][start:end] in words


def test_near_the_bound_nothing_is_called_true_or_false(tmp_path: Path):
    relay = without_noise(0)
    spec = random_spec(relay, 3, 20)
    (tmp_path / "prompts.jsonl").write_text(relay.prompts(20, 3), encoding="utf-8")
    (circuit,) = spec.resolved(tmp_path).circuits
    claim = next(c for c in circuit.claims if isinstance(c.bound, Bound) and c.bound.op == ">=")
    assert isinstance(claim.bound, Bound) and claim.bound.low is not None
    low = claim.bound.low
    assert [is_true(claim, low + off, 0.01) for off in (-0.02, 0.005, 0.02)] == [False, None, True]


def test_planted_models_are_judged_right_where_effects_are_large():
    found = trials((0, 1, 3))  # on 20, 60 and 20 prompts: of 200 each figure costs as much again
    assert sum(number for name, number in found.items() if name.endswith("/models")) >= 3
    held = [name for name in found if "/detected/0.5/" in name and name.endswith("/holds")]
    failed = [name for name in found if "/detected/0.5/" in name and name.endswith("/fails")]
    assert held and not failed


def test_answers_drawn_by_a_coin_are_independent_of_the_prompt():
    words = tuple("abcdefghijklmnop")
    lines = [json.loads(line) for line in coin(words, 4000, 1).splitlines()]
    inside = [np.mean([line[key] in line["prompt"].split(" ") for line in lines]) for key in ("answer",)]
    assert all(line["answer"] != line["wrong"][0] for line in lines)
    answers = np.array([line["answer"].strip() in line["prompt"].split() for line in lines])
    wrong = np.array([line["wrong"][0].strip() in line["prompt"].split() for line in lines])
    assert abs(answers.mean() - wrong.mean()) < 0.05
    assert 0.5 < answers.mean() < 0.75  # 10 of 16
    assert inside == [0]  # with its space it is another word


# --- the command -------------------------------------------------------------------------------------


def test_the_command_writes_all_and_goes_on_where_it_was(tmp_path: Path, capsys):
    spec = tmp_path / "smooth.circuit"
    spec.write_text(SMOOTH, encoding="utf-8")
    asked = ["--suites", str(spec), "--counts", "20", "12-24", "--pool", "60", "--samples", "3", "--planted", "1"]
    places = ["--processes", "1", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    main([*asked, "--only", "pools", *places])
    assert "4 of 4" not in capsys.readouterr().err
    results = main([*asked, "--only", "pools,planted", *places])
    assert "3 of 4 pieces are there already" in capsys.readouterr().err
    out = tmp_path / "out"
    assert Results.read(out / "trust.json") == results
    assert results.looks() == ("20", "12-24")
    page = (out / "trust.md").read_text(encoding="utf-8")
    for measure in ("logit_diff", "knockout", "effect"):
        assert all(c.samples == 3 for looks in results.looks() for c in results.of(measure, looks))
        assert page.count(f"\n| {measure} | ") >= 2
    tables = [block for block in page.split("\n\n") if block.startswith("| ")]
    assert all(len({line.count(" | ") for line in table.splitlines()}) == 1 for table in tables)
    for name in ("coverage", "p-values", "detection"):
        assert ET.parse(out / f"trust-{name}.svg").getroot().tag.endswith("svg")
        assert f"trust-{name}.svg" in page
    again = main([*asked[:-4], "--samples", "2", "--measures", "knockout", *places])
    assert again == Results.read(out / "trust.json")
    assert {c.samples for looks in again.looks() for c in again.of("knockout", looks)} == {2}
    assert {c.samples for looks in again.looks() for c in again.of("effect", looks)} == {3}
    assert len(again.calibrations) == len(results.calibrations)
    assert "Calibrated again: knockout, code `" in (out / "trust.md").read_text(encoding="utf-8")


def test_what_is_calibrated_again_takes_the_place_of_its_measurement_alone():
    def of(measure: str, truth: float) -> Calibration:
        return Calibration("one", f"expect {measure}", measure, truth, {})

    # Two circuits of a suite may claim the same.
    old = Results({"code": "a"}, (of("effect", 1.0), of("effect", 2.0), of("knockout", 3.0)), {})
    new = old.renewed(Results({"code": "b"}, (of("knockout", 4.0),), {}))
    assert [each.truth for each in new.calibrations] == [1.0, 2.0, 4.0]
    assert new.settings == {"code": "a", "again": {"knockout": "b"}}


def test_what_is_added_stands_beside_what_was_there():
    def of(claim: str, **counts: int) -> Calibration:
        named = {looks.strip("_").replace("_", "-"): Counts(samples=number) for looks, number in counts.items()}
        return Calibration("one", claim, "effect", 1.0, named)

    def settings(code: str, *counts: list[int]) -> dict[str, object]:
        return {"code": code, "samples": 7, "counts": [*counts]}

    # Two circuits of a suite may claim the same; and a range of prompts is looked at by the rule of its time.
    before = (of("x", _20=1, _6_9=2), of("x", _20=3), of("y", _20=4))
    old = Results(settings("a", [20], [6, 9]), before, {"relay": {"a": 1}})
    new = Results(settings("b", [20, 40]), (of("x", _20_40=5), of("x", _20_40=6)), {"saving": {"b": 2}})
    found = old.joined(new)
    samples = [{looks: counts.samples for looks, counts in each.counts.items()} for each in found.calibrations]
    assert samples == [{"20": 1, "20-40": 5}, {"20": 3, "20-40": 6}, {"20": 4}]
    assert found.tallies == {"relay": {"a": 1}, "saving": {"b": 2}}
    assert found.settings["counts"] == [[20], [20, 40]]
    assert found.settings["again"] == {"20 to 40 prompts (7 samples)": "b", "saving": "b"}


def test_pieces_cover_every_seed_once():
    settings = Settings(("one",), samples=60, planted=45, untrained=7, random=2, saving=30)
    groups = pieces(settings, ["pools", "planted", "untrained", "random", "saving"])
    assert [piece.kind for piece in groups[0]] == ["read"]
    for kind, number in settings.numbers.items():
        for looks in settings.counts if kind == "pool" else [()]:
            some = [piece for piece in groups[1] if (piece.kind, piece.looks) == (kind, looks)]
            assert sorted(seed for piece in some for seed in range(*piece.seeds)) == [*range(number)]
    assert len({piece.name for group in groups for piece in group}) == sum(map(len, groups))


def test_an_unfinished_piece_is_not_kept(tmp_path: Path):
    with pytest.raises(Exception, match="nowhere"):
        carry_out([[Piece("read", suite="nowhere", pool=4)]], tmp_path, lambda line: None, processes=1)
    assert not list(tmp_path.rglob("*.json"))
