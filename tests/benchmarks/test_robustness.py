"""The campaigns in small: that they try what they say and would see a fault."""

from __future__ import annotations

import os
import pickle
import random
import signal
from pathlib import Path

import pytest

from benchmarks.robustness import injection, pickles, results, sameness, small_models, stores, texts, variants
from benchmarks.robustness.__main__ import main
from benchmarks.robustness.apart import in_a_process
from benchmarks.robustness.checks import difference
from benchmarks.robustness.document import page
from benchmarks.robustness.evil_texts import harm_of, harm_of_xml
from benchmarks.robustness.results import Record, Result
from circuitdsl.models import open_model


def record(found: Result) -> Record:
    return Record(found, 7, "2026-11-26", 61.4, 30.0, "0.2.0", "abc", "def")


@pytest.mark.parametrize(
    ("campaign", "count"),
    [(texts.specs, 15), (texts.prompts, 300), (texts.relations, 100), (texts.dictionaries, 40)],
)
def test_mutated_texts_are_read_or_refused(campaign, count: int, tmp_path: Path):
    found = campaign(count, 1, tmp_path)
    assert found.tried == count
    assert found.faults == []
    assert found.ends["a clear error"] > count / 10


def test_another_exception_would_be_seen(tmp_path: Path):
    def broken(text: str) -> None:
        raise RecursionError("too deep")

    found = texts._campaign("broken", "", ["text"], broken, 3, random.Random(0))
    assert len(found.faults) == 3
    assert "RecursionError: too deep" in page({"broken": record(found)})


def test_mutations_are_many_and_the_same_for_a_seed():
    made = [texts.mutated("circuit c { model mini }", random.Random(seed)) for seed in range(40)]
    assert len(set(made)) > 30
    assert made == [texts.mutated("circuit c { model mini }", random.Random(seed)) for seed in range(40)]


def test_a_difference_is_the_largest_of_all_figures():
    one = {"value": 2.0, "parts": [{"low": 1.0, "text": "a"}]}
    assert difference(one, one) == 0
    assert difference(one, {"value": 2.0, "parts": [{"low": 1.5, "text": "a"}]}) == 0.5
    assert difference(one, {"value": 2.0, "parts": [{"low": 1.0, "text": "b"}]}) == float("inf")
    assert difference(one, {"value": 2.0, "parts": []}) == float("inf")


def test_the_page_counts_and_records_are_kept(tmp_path: Path):
    found = Result("campaign", "What it does.", notes=["a note"])
    found.ended("well")
    found.ended("well")
    found.fault("it broke")
    records = {"one": record(found), "two": record(Result("another", "It does nothing."))}
    written = page(records)
    assert "| campaign | `one` | 3 | 1 | 61 | 30 | 2026-11-26 | 0.2.0, abc |" in written
    assert "* well: 2" in written and "* a note" in written and "What it does. Seed 7." in written
    assert "## When figures are the same to the bit" in written
    results.write(records, tmp_path / "kept.json")
    assert results.read(tmp_path / "kept.json") == records
    assert results.read(tmp_path / "none.json") == {}


def test_a_campaign_alone_leaves_the_others_on_the_page(tmp_path: Path):
    main(["--only", "prompts", "--prompts", "5", "--out", str(tmp_path)])
    records = main(["--only", "specs", "--specs", "1", "--seed", "3", "--out", str(tmp_path)])
    assert {name: (each.seed, each.result.tried) for name, each in records.items()} == {
        "specs": (3, 1),
        "prompts": (0, 5),
    }
    written = (tmp_path / "robustness.md").read_text("utf-8")
    assert "| `specs` | 1 |" in written and "| `prompts` | 5 |" in written
    (tmp_path / "robustness.md").unlink()
    main(["--only", "--out", str(tmp_path)])
    assert (tmp_path / "robustness.md").read_text("utf-8") == written


def test_a_process_that_dies_or_raises_is_a_fault_and_what_it_adds_is_added():
    found = Result("", "")
    in_a_process(found, "well", lambda part: part.ended("well"))
    in_a_process(found, "killed", lambda part: os.kill(os.getpid(), signal.SIGKILL))
    in_a_process(found, "wrong", lambda part: part.ends[""])  # type: ignore[arg-type, return-value]
    assert (found.tried, found.ends) == (3, {"well": 1, "otherwise": 2})
    killed, wrong = found.faults
    assert "killed: the process ended with -9" in killed and "KeyError" in wrong


def test_a_pickle_that_is_believed_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pickles, "doors", lambda folder: {"believed": lambda place, data: pickle.loads(data)})
    monkeypatch.setattr(pickles, "ENCODINGS", {each: pickles.ENCODINGS[each] for each in ("pickle 0", "pickle 4")})
    found = pickles.pickles(12, 0, tmp_path)
    assert found.tried == 12 and len(found.faults) == 12
    assert all("it ran" in fault for fault in found.faults)


def test_a_process_that_grows_by_half_a_megabyte_a_check_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept: list[bytes] = []
    monkeypatch.setattr(sameness, "_again", lambda *what: kept.append(b"x" * (600 << 10)))
    (fault,) = sameness.many(50, 0, tmp_path).faults
    assert fault.startswith("memory grew by")


def test_as_many_as_are_asked_for_are_killed_at_work(tmp_path: Path):
    found = stores.kills(3, 0, tmp_path)
    assert found.faults == []
    assert found.ends["killed at work"] >= 3


def test_every_family_has_variants():
    assert set(variants.VARIANTS) == set(small_models.CONFIGS)
    assert all(len([*variants.chosen(some, 30, random.Random(0))]) == 30 for some in variants.VARIANTS.values())


def test_a_model_that_is_computed_otherwise_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = {"gpt2": ({"activation_function": "relu"},)}
    monkeypatch.setattr(variants, "VARIANTS", settings)
    assert variants.variants(1, 0, tmp_path / "a").faults == []
    monkeypatch.setattr(variants, "open_model", lambda place: open_model(place.parent / "gpt2 usual"))
    found = variants.variants(1, 0, tmp_path / "b")
    assert len(found.faults) == 2 and all("logits differ" in fault for fault in found.faults)


def test_evil_texts_are_tried_and_harm_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commands = {name: injection.COMMANDS[name] for name in ("show", "show, SVG", "no such option")}
    monkeypatch.setattr(injection, "COMMANDS", commands)
    found = injection.injection(12, 1, tmp_path)
    assert found.tried == 12 and found.faults == []
    assert [*harm_of("fine\n  ✓ FORGED")] and [*harm_of("a\x1b[2K")] and not [*harm_of("fine\n✓ holds\n")]
    assert [*harm_of_xml("<svg><script/></svg>")] and [*harm_of_xml("<svg>\x00</svg>")]
    assert not [*harm_of_xml("<svg><text>fine</text></svg>")]
