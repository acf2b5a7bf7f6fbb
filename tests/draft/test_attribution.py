"""Which features of mini the metric is attributed to, with dictionaries whose features are known by heart.

A split dictionary has two features for each coordinate, what is above zero of it and what is below, and no error.
"""

from __future__ import annotations

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from functools import partial
from pathlib import Path
from typing import Any

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

SHIPPED = Path(__file__).parents[2] / "specs" / "features" / "brackets.circuit"

WIDTH = 128
"""d_model of mini."""

SPEC = """
circuit late {
  model mini
  task  ioi
  dictionary m at mlp_out  3 from "split"
  dictionary a at attn_out 3 from "half"
  method { prompts 6  reference 2 }
  expect accuracy >= 0%
}
circuit begun {
  model mini
  task  ioi
  dictionary m at mlp_out 0 from "split"
  method { prompts 6  reference 2  bos yes }
  expect accuracy >= 0%
}
circuit asked {
  model mini
  task  file("asked.jsonl")
  dictionary m at mlp_out 3 from "split"
  method { prompts 2 }
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


FROZEN = """
circuit early {
  model brackets
  task  brackets
  dictionary a at attn_out 0 from "split"
  method { prompts 12  reference 2 }
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
    lines = ({"prompt": f"{name} went to the", "answer": " store"} for name in ("Mary", "John"))
    (folder / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "f.circuit").write_text(SPEC)
    return cd.load(folder / "f.circuit")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory):
    """A circuit of brackets with a split dictionary of what the heads of layer 0 write, and its first prompts."""
    folder, width = tmp_path_factory.mktemp("frozen"), 64
    one, zeros = np.eye(width, dtype=np.float32), np.zeros(2 * width, np.float32)
    both = np.concatenate([one, -one])
    split = {"W_enc": both.T.copy(), "b_enc": zeros, "W_dec": both, "b_dec": zeros[:width]}
    write(folder / "split", split, architecture="standard", apply_b_dec_to_input=False)
    (folder / "f.circuit").write_text(FROZEN)
    prompts = cd.tasks.draw(TaskRef("brackets"), open_model("brackets").tokenizer, 12, 0, False).prompts
    return cd.load(folder / "f.circuit"), prompts


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


def test_prompts_count_as_check_counts_them():
    """Each template of brackets equally, of which one has more than half of the prompts."""
    circuit = cd.load(SHIPPED).circuit("brackets_features")
    found = cd.attribute(circuit, threshold=1.0)
    tokenizer = (model := open_model("brackets")).tokenizer
    prompts = cd.tasks.draw_all(circuit.task, tokenizer, 0, False).prompts
    with torch.no_grad():
        logits = model.bridge(torch.tensor([prompt.tokens for prompt in prompts]))[:, -1]
    metrics: dict[str, list[float]] = {}
    for prompt, row in zip(prompts, logits, strict=True):
        metrics.setdefault(prompt.template, []).append((row[prompt.answer] - row[prompt.wrong[0]]).item())
    by_template = [np.mean(each) for each in metrics.values()]
    assert found.metric == pytest.approx(np.mean(by_template), abs=1e-3)
    assert abs(np.mean(by_template) - np.mean([each for some in metrics.values() for each in some])) > 0.01


def test_attention_and_norms_stay_as_they_are(frozen):
    """What is attributed to all that layer 0's heads write at END is how the metric changes with its length, if so."""
    document, prompts = frozen
    found = cd.attribute(document.circuit("early"), threshold=0.0, both_signs=True)
    at_end = sum(each.attribution for each in found.features if each.node.position == END)
    bridge = open_model("brackets").bridge
    tokens, rows = torch.tensor([prompt.tokens for prompt in prompts]), range(len(prompts))
    right, wrong = [prompt.answer for prompt in prompts], [prompt.wrong[0] for prompt in prompts]
    _, cache = bridge.run_with_cache(tokens)

    def longer(activation, hook, by):
        return torch.cat([activation[:, :-1], activation[:, -1:] * (1 + by)], 1)

    def metric(by: float, kept: list[str]) -> float:
        hooks: list[Any] = [(name, lambda activation, hook, name=name: cache[name]) for name in kept]
        hooks.append(("blocks.0.hook_attn_out", partial(longer, by=by)))
        with torch.no_grad():
            logits = bridge.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1]
        return (logits[rows, right] - logits[rows, wrong]).double().mean().item()

    def slope(kept: list[str]) -> float:
        return (metric(0.002, kept) - metric(-0.002, kept)) / 0.004

    patterns, scales = ([n for n in bridge.hook_dict if n.endswith(e)] for e in (".hook_pattern", ".hook_scale"))
    assert at_end == pytest.approx(slope(patterns + scales), rel=0.02)
    for kept in (patterns, scales):
        assert abs(slope(kept) - at_end) > 0.1 * abs(at_end)


def test_a_first_token_that_is_no_word_has_its_name(document):
    """Whatever comes after it: all its attribution is in one place."""
    found = cd.attribute(document.circuit("begun"), threshold=0.0, both_signs=True)
    names = {str(each.node.position) for each in found.features}
    assert "BOS" in names and "S1" in names
    bos = next(each for each in found.features if str(each.node.position) == "BOS")
    assert bos.share == pytest.approx(1)  # a feature of BOS in layer 0 does not depend on the prompt
    without = names_of({"S": (3,), "BOS": (0,)}, 4, ("S", "BOS"))
    assert [str(each) for each in without] == ["BOS", "S-2", "S-1", "S"]


def test_a_model_that_gives_no_number_is_refused(document):
    bridge = open_model("mini").bridge
    weight = bridge.blocks[1].mlp.original_component.c_fc.weight
    before = weight[0, 0].item()
    try:
        with torch.no_grad():
            weight[0, 0] = float("nan")
        with pytest.raises(cd.InputError, match="NaN or infinity"):
            cd.attribute(document.circuit("late"), model=bridge)
    finally:
        with torch.no_grad():
            weight[0, 0] = before


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
        ("late", "x", "the threshold 'x'"),
        ("asked", 0.1, "(?s)no wrong answer.*give wrong answers, or write `metric probability`"),
    ],
)
def test_what_cannot_be_attributed_is_told(document, name: str, threshold: Any, said: str):
    with pytest.raises(cd.InputError, match=said):
        cd.attribute(document.circuit(name), threshold=threshold)
