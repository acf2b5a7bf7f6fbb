"""Dictionaries of models that ship: how they are trained, how they are written, and what those are like that ship."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from circuitdsl.models import sparse, train_dictionaries, training
from circuitdsl.models.brackets.tokenizer import VOCABULARY
from circuitdsl.models.folders import SHIPPED
from circuitdsl.tasks.brackets import TEMPLATES, listing

torch.set_num_threads(1)

NAMES = tuple(train_dictionaries.RECIPES)


@pytest.fixture(scope="module")
def brackets():
    return training.load(SHIPPED["brackets"])


def coder(count: int = 32, active: float = 3) -> tuple[sparse.Coder, torch.Tensor, torch.Tensor]:
    x, y = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(1))
    return sparse.Coder(x, y, count, active, seed=0), x, y


def test_of_a_batch_the_largest_features_are_kept():
    made, x, _ = coder()
    features = made.features(x)
    kept = made.kept(features)
    assert int((kept > 0).sum()) == 50 * 3
    assert kept[kept > 0].min() >= features[kept == 0].max()
    assert torch.equal(kept[kept > 0], features[kept > 0])


def test_a_coder_begins_at_the_mean_and_its_loss_is_a_share_of_the_variance():
    made, x, y = coder()
    torch.testing.assert_close(made.decoded(torch.zeros(50, 32)), y.mean(0).expand(50, 8))
    with torch.no_grad():
        left = y - made.decoded(made.kept(made.features(x)))
        expected = left.square().sum() / (y - y.mean(0)).square().sum()
    torch.testing.assert_close(made.loss(x, y), expected)  # no feature is dead yet


def test_features_that_nobody_uses_learn_too():
    made, x, y = coder()
    made.unused += sparse.DEAD_AFTER + 1
    with torch.no_grad():
        made.b_enc[:4] -= 100  # so that no token uses them
    made.loss(x, y).backward()
    grads = made.W_dec.grad
    assert grads is not None and not grads[:4].any()  # their values are zero
    with torch.no_grad():
        made.b_enc[:4] = -0.5
    made.unused[:4] = sparse.DEAD_AFTER + 1
    made.active = 0.1
    made.zero_grad()
    made.loss(x, y).backward()
    assert grads is not None and made.W_dec.grad is not None and made.W_dec.grad[:4].any()


def test_all_that_a_dictionary_reads_and_writes_is_that_of_the_model(brackets):
    texts = train_dictionaries.RECIPES["brackets"].texts(3)
    pairs = train_dictionaries.activations(brackets, texts)
    assert [place.name for place in pairs] == ["attn0", "mlp0", "attn1", "mlp1"]
    with torch.no_grad():
        states = brackets(input_ids=texts.tokens, output_hidden_states=True).hidden_states
    written = sum(pairs[place][1] for place in pairs if place.layer == 0)
    torch.testing.assert_close(states[0][texts.there] + written, states[1][texts.there], atol=1e-4, rtol=1e-4)
    read, made = pairs[train_dictionaries.Place("mlp", 1)]
    with torch.no_grad():
        torch.testing.assert_close(brackets.transformer.h[1].mlp(read), made, atol=1e-4, rtol=1e-4)


def test_pairs_of_features_tell_the_kind_of_what_is_open_on_every_prompt(brackets):
    """As docs/findings/features.md and specs/features/brackets.circuit say of a1 and t1."""
    prompts = [prompt for template in TEMPLATES for prompt in listing(template, ())]
    tokens = torch.tensor([[VOCABULARY.index(each) for each in prompt.text] for prompt in prompts])
    every = torch.ones(tokens.shape, dtype=torch.bool)
    pairs = train_dictionaries.activations(brackets, train_dictionaries.Texts(tokens, every, every))
    opened = train_dictionaries.opened(train_dictionaries.shipped("brackets"), brackets)
    is_round = torch.tensor([prompt.answer == ")" for prompt in prompts])
    for kind, of_round, of_square in (("attn", (63,), (89,)), ("mlp", (78, 151), (9, 89))):
        place = train_dictionaries.Place(kind, 1)
        active = opened[place].features(pairs[place][0]).view(*tokens.shape, -1)[:, -1] > 0
        for index in of_round:
            assert torch.equal(active[:, index], is_round)
        for index in of_square:
            assert torch.equal(active[:, index], ~is_round)


def test_texts_of_mini_are_padded_and_say_what_is_asked():
    texts = train_dictionaries.RECIPES["mini"].texts(5)
    assert (texts.asked <= texts.there).all() and 0 < texts.asked.sum() < texts.there.sum() < texts.tokens.numel()
    assert not texts.tokens[~texts.there].any()


def test_a_resumed_run_is_the_same_run_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr(train_dictionaries, "EVALUATED", 2)
    for out, steps in (("whole", 3), ("parts", 2), ("parts", 3)):
        train_dictionaries.train("brackets", tmp_path / out, steps, seed=5)
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    for name, states in whole["model"].items():
        for key, tensor in states.items():
            torch.testing.assert_close(tensor, parts["model"][name][key], msg=f"{name} {key}")
    train_dictionaries.export("brackets", tmp_path / "whole", tmp_path / "folder")
    log = json.loads((tmp_path / "folder" / "training_log.json").read_text())
    assert (log["steps"], log["seed"], set(log["shipped"])) == (3, 5, {"attn0", "mlp0", "attn1", "mlp1", "all"})
    saved = whole["model"]["mlp1"]["W_dec"]
    written = load_file(tmp_path / "folder" / "mlp1" / "sae_weights.safetensors")["W_dec"]
    torch.testing.assert_close(written, saved.half())


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_is_small_and_was_trained_as_the_log_says(name: str):
    folder = train_dictionaries.shipped(name)
    log = json.loads((folder / "training_log.json").read_text())
    assert log["steps"] == train_dictionaries.RECIPES[name].steps == log["log"][-1]["step"]
    opened = train_dictionaries.opened(folder, training.load(SHIPPED[name]))
    assert [place.name for place in opened] == [each for each in log["shipped"] if each != "all"]
    assert log["shipped"]["all"]["recovered"] > 0.9 and min(each["recovered"] for each in log["shipped"].values()) > 0.7
    assert all(each["unexplained"] < 0.1 for place, each in log["shipped"].items() if place != "all")
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) < 4 * 2**20


def test_what_ships_gives_what_the_log_says(brackets, monkeypatch):
    folder = train_dictionaries.shipped("brackets")
    monkeypatch.setattr(train_dictionaries, "EVALUATED", 3)
    found = train_dictionaries.evaluate("brackets", folder)
    told = json.loads((folder / "training_log.json").read_text())["shipped"]
    for name, each in found.items():
        assert each["recovered"] == pytest.approx(told[name]["recovered"], abs=0.02)
    place, weights = next(iter(train_dictionaries.opened(folder, brackets).items()))
    x, _ = train_dictionaries.activations(brackets, train_dictionaries.RECIPES["brackets"].texts(3))[place]
    before = x @ weights.W_enc + weights.b_enc
    assert weights.threshold is not None
    assert torch.equal(weights.features(x), torch.where(before > weights.threshold, before, 0.0))
