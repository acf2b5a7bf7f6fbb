"""The recipe: what is held out stays out, padding does not count, and a resumed run is the same run."""

import json
import random
import re
from dataclasses import replace

import pytest
import torch

from circuitdsl.models import training
from circuitdsl.models.mini import data, tokenizer, train
from circuitdsl.tasks.words import COLORS, THINGS

KINDS = ("repeats", "ioi", "three_names", "one_scene", "two_scenes")


def examples(kind, count, seed=0):
    rng, make = random.Random(seed), getattr(data.Writer(), kind)
    return [make(rng) for _ in range(count)]


def words(example):
    return [tokenizer.vocabulary()[token] for token in example.tokens]


def test_one_pair_in_eight_is_held_out_whatever_its_order():
    pairs = [(a, b) for a in tokenizer.NAMES for b in tokenizer.NAMES if a < b]
    share = sum(data.held_out(a, b) for a, b in pairs) / len(pairs)
    assert 0.09 < share < 0.16
    assert all(data.held_out(a, b) == data.held_out(b, a) for a, b in pairs)
    assert 8 <= sum(data.held_out(color, thing) for color in COLORS for thing in THINGS) <= 30


@pytest.mark.parametrize("kind", ["ioi", "three_names"])
def test_no_training_sentence_names_a_held_out_pair(kind):
    for example in examples(kind, 1500):
        named = {word for word in words(example) if word in tokenizer.NAMES}
        assert len(named) == (2 if kind == "ioi" else 3)
        assert not any(data.held_out(a, b) for a in named for b in named if a < b)


@pytest.mark.parametrize(("kind", "scenes"), [("one_scene", 1), ("two_scenes", 2)])
def test_no_training_scene_shows_a_held_out_combination(kind, scenes):
    for example in examples(kind, 800):
        shown = re.findall(rf"({'|'.join(COLORS)}) ({'|'.join(THINGS)})\b", " ".join(words(example)))
        assert len(shown) == 3 * scenes
        assert not any(data.held_out(color, thing) for color, thing in shown)


def test_evaluation_asks_for_held_out_combinations_only():
    assert all(data.held_out_names(prompt) for prompt in data.unseen_ioi(100, seed=0))
    for shots in (0, 1):
        for prompt in data.unseen_colored_objects(100, shots, seed=0):
            asked = re.search(r"color is the (\w+)\?\nA:$", prompt.text)
            assert asked is not None
            assert data.held_out(str(prompt.answer).strip().lower(), asked.group(1))
            assert data.held_out_query(prompt)


def test_what_is_asked_is_the_answer():
    for kind in ("ioi", "three_names", "one_scene"):
        assert all(example.asked == (len(example.tokens) - 1,) for example in examples(kind, 50))
    for example in examples("two_scenes", 50):
        found = words(example)
        assert [found[i] for i in example.asked] == [w for w in found if w.lower() in COLORS and w[0].isupper()]
    for example in examples("repeats", 50):
        once = len(example.asked) + 1
        assert all(example.tokens[i] == example.tokens[i - once] for i in example.asked)
        assert example.asked[-1] == len(example.tokens) - 1


def test_the_fast_split_agrees_with_the_tokenizer():
    built = tokenizer.build()
    writer = data.Writer()
    for prompt in (*data.unseen_ioi(60, seed=1), *data.unseen_colored_objects(60, 1, seed=1)):
        assert tuple(built(prompt.text)["input_ids"]) == writer.encode(prompt.text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_s_loss_is_the_sum_of_its_examples(kind, monkeypatch):
    monkeypatch.setattr(train, "MOVED", 0.0)
    monkeypatch.setattr(train, "WITH_BOS", 0.0)
    model = train.new_model(seed=1).eval()
    batch = examples(kind, 6)
    with torch.no_grad():
        together = train.batch_loss(model, batch, random.Random(0))
        singly = sum(train.batch_loss(model, [example], random.Random(0)) for example in batch)
    torch.testing.assert_close(together, singly)


def test_the_rate_rises_stays_and_falls():
    rates = [train.rate(step, 4000) for step in range(4000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == 1.0
    assert set(rates[100:3000]) == {1.0}
    assert rates[3000:] == sorted(rates[3000:], reverse=True) and rates[-1] == 0.02


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of few sequences, and accuracies on few prompts."""
    begins, *later = train.STAGES
    monkeypatch.setattr(train, "STAGES", (replace(begins, mixture=(("repeats", 4), ("ioi", 4))), *later))
    monkeypatch.setattr(train, "EVALUATED", 4)


@pytest.mark.usefixtures("few")
def test_a_resumed_run_is_the_same_run(tmp_path):
    train.train(tmp_path / "whole", steps=3, seed=5)
    train.train(tmp_path / "parts", steps=2, seed=5)
    train.train(tmp_path / "parts", steps=3, seed=0)  # the checkpoint's seed counts
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    assert whole["seed"] == parts["seed"] == 5
    for name, tensor in whole["model"].items():
        torch.testing.assert_close(tensor, parts["model"][name], msg=name)
    assert not torch.equal(whole["model"]["transformer.wte.weight"], train.new_model(5).transformer.wte.weight)


@pytest.mark.usefixtures("few")
def test_export_writes_a_folder_that_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "FINAL", 4)
    train.train(tmp_path / "run", steps=1, seed=5)
    train.export(tmp_path / "run", tmp_path / "folder")
    model = training.load(tmp_path / "folder")
    saved = torch.load(tmp_path / "run" / "checkpoint.pt")["model"]["transformer.wpe.weight"]
    torch.testing.assert_close(model.transformer.wpe.weight, saved.half().float())
    log = json.loads((tmp_path / "folder" / "training_log.json").read_text())
    assert (log["seed"], log["steps"], len(log["log"])) == (5, 1, 1)


@pytest.mark.usefixtures("few")
def test_checkpoints_are_kept_as_the_model_ships(tmp_path):
    train.train(tmp_path / "run", steps=2, seed=5)
    after_two = torch.load(tmp_path / "run" / "checkpoint.pt")["model"]["transformer.wte.weight"]
    train.train(tmp_path / "kept", steps=3, seed=5, keep_every=2)
    assert sorted(path.name for path in (tmp_path / "kept").glob("step*")) == ["step0", "step2"]
    begun, kept = (training.load(tmp_path / "kept" / name).transformer.wte.weight for name in ("step0", "step2"))
    assert torch.equal(begun, train.new_model(5).transformer.wte.weight.half().float())
    assert torch.equal(kept, after_two.half().float())
    files = {path.name for path in train.PACKAGE.iterdir() if path.suffix in (".json", ".safetensors")}
    assert {path.name for path in (tmp_path / "kept" / "step2").iterdir()} == files - {"training_log.json"}
