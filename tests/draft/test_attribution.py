"""Which features of mini the metric is attributed to, with dictionaries whose features are known by heart.

A split dictionary has two features for each coordinate, what is above zero of it and what is below, and no error.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path

import numpy as np
import pytest
import torch

import circuitdsl as cd
from circuitdsl.components import END, Feature, Position
from circuitdsl.draft.attribution import names_of
from circuitdsl.language.environment import TaskRef
from circuitdsl.models import open_model
from written_dictionaries import write

torch.set_num_threads(1)

WIDTH = 128
"""d_model of mini."""

SPEC = """
circuit late {
  model mini
  task  ioi
  dictionary m at mlp_out  3 from "split"
  dictionary a at attn_out 3 from "half"
  method { prompts 6 }
  expect accuracy >= 0%
}
circuit none {
  model mini
  task  ioi
  expect accuracy >= 0%
}
circuit steps {
  model mini
  task  ioi
  dictionary m at mlp_out 3 from "split"
  method { metric accuracy }
  expect accuracy >= 0%
}
circuit twice {
  model mini
  task  ioi
  dictionary m at mlp_out 3 from "split"
  dictionary n at mlp_out 3 from "half"
  expect accuracy >= 0%
}
"""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("attributed")
    one, zeros = np.eye(WIDTH, dtype=np.float32), np.zeros(2 * WIDTH, np.float32)
    both = np.concatenate([one, -one])
    split = {"W_enc": both.T.copy(), "b_enc": zeros, "W_dec": both, "b_dec": zeros[:WIDTH]}
    write(folder / "split", split, architecture="standard", apply_b_dec_to_input=False)
    write(folder / "half", split | {"W_dec": both / 2}, architecture="standard", apply_b_dec_to_input=False)
    (folder / "f.circuit").write_text(SPEC)
    return cd.load(folder / "f.circuit")


@pytest.fixture(scope="module")
def report(document):
    return cd.attribute(document.circuit("late"), threshold=0.0, both_signs=True)


def parts_at_end(report, name: str) -> float:
    found = [each for each in report.features if each.node.component.dictionary.name == name]
    assert {each.node.position for each in found} == {END}  # nothing else is read after the last layer
    return sum(each.attribution for each in found)


@pytest.fixture(scope="module")
def by_hand():
    """What the last MLP adds to the logit difference, the last norm's scale as it is, and the difference: means."""
    bridge = open_model("mini").bridge
    prompts = cd.tasks.draw(TaskRef("ioi"), bridge.tokenizer, 6, 0, False).prompts
    added, metrics = [], []
    for prompt in prompts:
        with torch.no_grad():
            logits, cache = bridge.run_with_cache(torch.tensor([prompt.tokens]))
        wanted = bridge.W_U[:, prompt.answer] - bridge.W_U[:, list(prompt.wrong)].mean(1)
        written = cache["blocks.3.hook_mlp_out"][0, -1]
        centred = (written - written.mean()) / cache["ln_final.hook_scale"][0, -1]
        added.append((centred * bridge.ln_final.weight * wanted).sum().item())
        metrics.append((logits[0, -1, prompt.answer] - logits[0, -1, list(prompt.wrong)].mean()).item())
    return np.mean(added), np.mean(metrics)


def test_features_of_the_last_mlp_add_what_it_adds_to_the_logits(report, by_hand):
    added, metric = by_hand
    assert report.metric == pytest.approx(metric, abs=1e-3)
    assert parts_at_end(report, "m") == pytest.approx(added, abs=1e-3)


def test_an_error_is_attributed_what_features_leave(report):
    """Features of half the length leave the other half to the error."""
    halves = {each.dictionary.name: each.attribution for each in report.errors}
    assert halves["a"] == pytest.approx(parts_at_end(report, "a"), abs=1e-3) and abs(halves["a"]) > 0.1
    assert halves["m"] == pytest.approx(0, abs=1e-3)


def test_what_is_below_the_threshold_is_not_there_and_hands_nothing_back(document, report):
    strict = cd.attribute(document.circuit("late"), threshold=0.05)
    assert 0 < len(strict.features) < len(report.features)
    assert all(each.attribution * 6 > 0.05 and 0 < each.share <= 1 for each in strict.features)
    # Through the MLP, where most features of it are cut now, the heads of the layer are attributed something else.
    whole, kept = (
        {str(e.node.component): e.attribution for e in each.features if str(e.node.component).startswith("a.")}
        for each in (report, strict)
    )
    assert any(abs(kept[index] - whole[index]) > 1e-3 for index in kept if index in whole)


def test_tokens_are_called_as_a_specification_calls_them():
    positions = {"PAIR": (2, 4), "S": (3,), "END": (6,)}
    names = names_of(positions, 7, ("PAIR", "S", "END"))
    assert list(names) == [
        Position("S", -3),
        Position("S", -2),
        Position("PAIR"),
        Position("S"),
        Position("PAIR"),
        Position("S", 2),
        END,
    ]


def test_a_report_is_a_page_a_line_and_json(report):
    page = cd.show(report)
    strongest = report.features[0]
    assert isinstance(strongest.node.component, Feature)
    assert "attribution of late" in page and str(strongest.node.component) in page and "decides nothing" in page
    assert "a.error" in page and repr(report).startswith("<AttributionReport of late on mini: ")
    written = report.to_dict()
    assert written["schema"] == "circuitdsl/attribution/1" and written["prompts"] == 6
    assert written["features"][0] == {
        "feature": str(strongest.node.component),
        "position": "END",
        "attribution": strongest.attribution,
        "share": strongest.share,
    }


@pytest.mark.parametrize(
    ("name", "threshold", "said"),
    [
        ("none", 0.1, "declares no dictionary"),
        ("steps", 0.1, "the metric accuracy of steps has no gradient"),
        ("twice", 0.1, "2 dictionaries at blocks.3.hook_mlp_out"),
        ("late", -1.0, "the threshold -1.0"),
        ("late", float("nan"), "the threshold nan"),
    ],
)
def test_what_cannot_be_attributed_is_told(document, name: str, threshold: float, said: str):
    with pytest.raises(cd.InputError, match=said):
        cd.attribute(document.circuit(name), threshold=threshold)
