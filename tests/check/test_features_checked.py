"""Specifications that name features, from text to the report, on mini.

The dictionary splits what the heads of layer 1 write at every coordinate into what is above zero and what is below, and
has no error: whatever is claimed of all of it can be claimed of all heads of the layer.
"""

from __future__ import annotations

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import CircuitReport
from samples import known
from written_dictionaries import random_arrays, write

torch.set_num_threads(1)

WIDTH = 128
"""d_model of mini."""

SPEC = """
circuit parts {
  model mini
  task  ioi
  dictionary d at attn_out 1 from "saes/split"
  method { prompts 12  reference 2  members none }
  role whole at S2 { d.* }
  edge 0.3 at S1+4 -> whole : raises
  expect knockout(whole) <= 0%
  expect knockout({ 1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7 } at S2) <= 0%
  expect knockout(d.error at S2) <= 0%
}
circuit kept {
  model mini
  task  ioi
  dictionary d at attn_out 1 from "saes/split"
  method { prompts 12  reference 2  members none  errors kept }
  role whole { d.* }
  expect faithfulness >= 99%
}
intervention without on parts {
  ablate whole counterfactual
  expect logit_diff - baseline <= 0
}
"""


def split() -> dict[str, np.ndarray]:
    one = np.eye(WIDTH, dtype=np.float32)
    zeros = np.zeros(2 * WIDTH, np.float32)
    both = np.concatenate([one, -one])
    return {"W_enc": both.T.copy(), "b_enc": zeros, "W_dec": both, "b_dec": zeros[:WIDTH]}


def document(folder: Path, text: str = SPEC, saes: str = "saes/split"):
    write(folder / saes, split(), architecture="standard", apply_b_dec_to_input=False)
    (folder / "f.circuit").write_text(text.replace("saes/split", saes))
    return cd.load(folder / "f.circuit")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def report(place):
    return cd.check(document(place), unexplained=False, store=cd.Store.in_folder(place / "kept"))


@pytest.fixture(scope="module")
def parts(report) -> CircuitReport:
    return report.circuits[0]


def test_all_features_do_what_all_heads_of_the_layer_do(parts):
    into, features, heads, _ = parts.claims
    assert known(features.estimate.value) == pytest.approx(known(heads.estimate.value), abs=1e-4)
    assert known(heads.estimate.value) < -0.05
    assert known(into.estimate.value) < -0.01  # through the heads of layer 1, whose keys find what 0.3 wrote


def test_an_error_that_is_none_is_no_patch(parts):
    assert parts.claims[-1].verdict is Verdict.ERROR and "changed nothing" in parts.claims[-1].note


def test_a_circuit_of_all_features_and_no_heads_keeps_everything(report):
    (whole,) = report.circuits[1].claims
    assert known(whole.estimate.value) == pytest.approx(1, abs=1e-4)


def test_a_report_says_which_dictionary_it_was_and_what_ran_it(report, parts):
    assert report.engine == "fast" and not any("plain engine" in note for note in parts.notes)
    written = report.to_dict()
    schema = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(json.loads(json.dumps(written)))
    (dictionary,) = written["circuits"][0]["dictionaries"]
    assert (dictionary["name"], dictionary["point"], dictionary["layer"]) == ("d", "attn_out", 1)
    assert (dictionary["kind"], dictionary["features"]) == ("autoencoder", 2 * WIDTH)
    assert written["circuits"][0]["method"]["errors"] == "ablated"


def test_results_are_found_again_under_another_name_and_in_another_place(place, report, tmp_path):
    shutil.copytree(place / "kept", tmp_path / "kept")
    text = (
        SPEC.replace("dictionary d ", "dictionary other ").replace("d.*", "other.*").replace("d.error", "other.error")
    )
    moved = document(tmp_path, text, "elsewhere")
    again = cd.check(moved, unexplained=False, store=cd.Store.in_folder(tmp_path / "kept"))
    assert again.cost.experiments < report.cost.experiments / 10  # what changes nothing is asked anew
    for ours, theirs in zip(again.circuits[0].claims, report.circuits[0].claims, strict=True):
        assert ours.estimate == theirs.estimate


def test_a_circuit_of_features_is_shown(place):
    random = random_arrays("standard", WIDTH, 8)
    write(place / "random", random, architecture="topk", k=2, apply_b_dec_to_input=False)
    text = SPEC.replace("role whole at S2 { d.* }", "role whole at S2 { d.7 d.error 2.5 }").replace(
        "saes/split", "random"
    )
    (place / "shown.circuit").write_text(text)
    circuit = cd.load(place / "shown.circuit").circuit("parts")
    page = cd.show(circuit)
    assert "whole d.7 d.error" in page and "d at attn_out 1: an autoencoder of 8 features" in page
    assert "2.5" in cd.show(circuit, "svg") and ">m1<" not in cd.show(circuit, "svg")
    (place / "mlp.circuit").write_text(text.replace("at attn_out 1", "at mlp_out 1"))
    assert ">m1<" in cd.show(cd.load(place / "mlp.circuit").circuit("parts"), "svg")
