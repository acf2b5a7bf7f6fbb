"""The models of sums and differences: how they are trained, what they can do, and what is counted of it."""

from __future__ import annotations

import json
import random

import pytest
import torch
from safetensors.torch import load_file

from circuitdsl.models import training
from circuitdsl.models.arithmetic import correctness, data, tokenizer, train
from circuitdsl.tasks.arithmetic import BEYOND, Question, carries

NAMES = tuple(train.RECIPES)


def pairs(count: int) -> torch.Tensor:
    return torch.randint(BEYOND**2, (count,), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("minus", [False, True])
def test_questions_are_written_as_the_tasks_write_them(minus: bool):
    first, second = pairs(300) // 1000, pairs(300) % 1000
    tokens = data.written(first, second, torch.full((300,), minus))
    texts = ["".join(tokenizer.VOCABULARY[token] for token in row) for row in tokens.tolist()]
    questions = [Question(a, b, "-" if minus else "+") for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    assert texts == [question.text for question in questions]
    assert tokenizer.build()(texts[0])["input_ids"] == tokens[0].tolist()


@pytest.mark.parametrize("minus", [False, True])
def test_cascades_are_counted_as_carries_run(minus: bool):
    first, second = pairs(2000) // 1000, pairs(2000) % 1000
    found = correctness.cascades(first, second, minus)
    assert set(found.tolist()) == ({0, 1, 2} if minus else {0, 1, 2, 3})
    for a, b, length in zip(first.tolist(), second.tolist(), found.tolist(), strict=True):
        columns = Question(a, b, "-" if minus else "+").columns
        out, longest, run = carries(columns), 0, 0
        for column, carried in zip(columns, out, strict=True):
            run = 0 if not carried else 1 if column.hands_on else run + 1
            longest = max(longest, run)
        assert length == longest


def test_training_shows_no_pair_that_is_held_out_and_more_chains_than_chance():
    batch = data.training_batch(4000, 0.5, torch.Generator().manual_seed(1))
    values = batch - tokenizer.DIGIT
    first, second = (values[:, i] * 100 + values[:, i + 1] * 10 + values[:, i + 2] for i in (0, 4))
    assert not data.held_out(first, second).any() and 3300 < len(batch) < 3700
    sums = batch[:, 3] == tokenizer.PLUS
    nines = (values[sums, :3] + values[sums, 4:7] == 9).float().mean()
    assert 0.2 < nines < 0.3 and 0.4 < sums.float().mean() < 0.6
    everywhere = data.held_out(correctness.EVERY // 1000, correctness.EVERY % 1000).float().mean()
    assert 0.12 < everywhere < 0.13


def test_arithmetic_begins_as_addition():
    small, large = training.load(train.PACKAGE / "addition"), train.new_model(train.RECIPES["arithmetic"], 0).eval()
    tokens = data.training_batch(50, 0.5, torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(train.answer_logits(large, tokens), train.answer_logits(small, tokens))
    assert len(large.transformer.h) == len(small.transformer.h) + 1


def test_a_resumed_run_is_the_same_run_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "EVALUATED", 4)
    for out, steps in (("whole", 3), ("parts", 2), ("parts", 3)):
        train.course(train.RECIPES["addition"]).train(tmp_path / out, steps, seed=5)
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    for name, tensor in whole["model"].items():
        torch.testing.assert_close(tensor, parts["model"][name], msg=name)
    begun = train.new_model(train.RECIPES["addition"], 5).state_dict()
    assert not torch.equal(whole["model"]["transformer.wte.weight"], begun["transformer.wte.weight"])
    train.export("addition", tmp_path / "whole", tmp_path / "folder")
    model = training.load(tmp_path / "folder")
    saved = whole["model"]["transformer.wpe.weight"]
    torch.testing.assert_close(model.transformer.wpe.weight, saved.half().float())
    assert json.loads((tmp_path / "folder" / "training_log.json").read_text())["steps"] == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_answers_what_it_never_saw(name: str):
    model = training.load(train.PACKAGE / name)
    found = train.evaluate(model, 600, seed=9)
    assert found["sums"] >= 0.995
    assert found["differences"] >= 0.99 if name == "arithmetic" else found["differences"] < 0.1
    weights = load_file(train.PACKAGE / name / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    log = json.loads((train.PACKAGE / name / "training_log.json").read_text())
    assert log["steps"] == train.RECIPES[name].steps == log["log"][-1]["step"] and log["log"][-1]["loss"] < 1e-3


def test_failures_are_counted_and_listed():
    """Of a model of random weights, which answers nothing right but by luck."""
    model = train.new_model(train.RECIPES["addition"], 0).eval()
    some = pairs(500)
    answered = correctness.ask(model, False, some)
    assert len(answered.failures) == int((~answered.right).sum()) > 400
    question, said = random.Random(0).choice(answered.failures).split(" says ")
    first, second = int(question[:3]), int(question[4:7])
    assert Question(first, second, "+").text == question and said != question[8:]
    lines = list(correctness.table(answered))
    assert len(lines) == 7 and lines[5].split()[:3] == ["all", "500", str(len(answered.failures))]
