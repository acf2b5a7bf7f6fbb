"""The model of acronyms: what it is trained on, how, and what the one that ships can do."""

from __future__ import annotations

import json
from random import Random

import torch
from safetensors.torch import load_file

from circuitdsl.language.environment import TaskRef
from circuitdsl.models import training
from circuitdsl.models.acronyms import data, tokenizer, train
from circuitdsl.tasks import open_task


def test_texts_are_written_as_the_task_writes_them():
    """The same capitals and letters with one tail a word; the last letter is the task's answer."""
    built = tokenizer.build()
    for prompt in open_task(TaskRef("acronyms")).draw(built, 20, seed=3, bos=True).prompts:
        first, second, third = (prompt.tokens[prompt.positions[f"C{n}"][0]] - tokenizer.CAPITAL for n in (1, 2, 3))
        text = data.written((first, second, third), 0, (1, 1, 1), Random(0))
        tails = [prompt.positions[f"T{n}"][0] for n in (1, 2, 3)]
        same = [i for i in range(len(prompt.tokens)) if i not in tails]
        assert len(text) == len(prompt.tokens) + 1 == 12
        assert [text[i] for i in same] == [prompt.tokens[i] for i in same]
        assert text[-1] == prompt.answer


def test_training_has_words_of_all_lengths_and_no_letters_that_are_held_out():
    texts = data.training_batch(400, Random(2))
    before = [text.index(next(t for t in text if tokenizer.CAPITAL <= t < tokenizer.LETTER)) - 2 for text in texts]
    assert set(before) == {0, 1, 2}
    assert {len(text) for text in texts} == set(range(12, 21))
    found = [tuple(token - tokenizer.LETTER for token in text[-3:]) for text in texts]
    capitals = [
        tuple(t - tokenizer.CAPITAL for t in text if tokenizer.CAPITAL <= t < tokenizer.LETTER) for text in texts
    ]
    assert found == capitals and all(len(set(letters)) == 3 for letters in found)
    assert not any(data.held_out((first, second, third)) for first, second, third in found)
    assert data.held_out(data.letters_of(Random(4), held=True))


def test_letters_are_read_where_they_stand_in_padded_texts():
    texts = data.training_batch(9, Random(5))
    tokens, letters = data.padded(texts)
    for text, row, places in zip(texts, tokens.tolist(), letters.tolist(), strict=True):
        assert row[: len(text)] == text and set(row[len(text) :]) <= {tokenizer.VOCABULARY.index(tokenizer.PAD)}
        assert [row[place] for place in places] == text[-3:]
    # What is padded comes last, and changes nothing of what is read.
    model = train.new_model(0).eval()
    with torch.no_grad():
        together, _ = train.said(model, texts)
        alone, _ = train.said(model, texts[:1])
    torch.testing.assert_close(together[:1], alone)


def test_the_rate_that_two_trainings_share_rises_stays_and_falls():
    rates = [training.rate(step, 2000) for step in range(2000)]
    assert rates[0] == 1 / 200 and set(rates[199:1001]) == {1.0}
    assert rates[1000:] == sorted(rates[1000:], reverse=True) and rates[-1] == 1 / 1000


def test_a_resumed_run_is_the_same_run_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "EVALUATED", 4)
    for out, steps in (("whole", 3), ("parts", 2), ("parts", 3)):
        train.COURSE.train(tmp_path / out, steps, seed=5)
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    for name, tensor in whole["model"].items():
        torch.testing.assert_close(tensor, parts["model"][name], msg=name)
    train.export(tmp_path / "whole", tmp_path / "folder")
    model = training.load(tmp_path / "folder")
    saved = whole["model"]["transformer.wpe.weight"]
    torch.testing.assert_close(model.transformer.wpe.weight, saved.half().float())
    assert json.loads((tmp_path / "folder" / "training_log.json").read_text())["steps"] == 3


def test_what_ships_spells_what_it_never_saw():
    model = training.load(train.PACKAGE)
    assert min(train.evaluate(model, 400, seed=9).values()) >= 0.99
    weights = load_file(train.PACKAGE / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert (train.PACKAGE / "model.safetensors").stat().st_size < 1e6
    log = json.loads((train.PACKAGE / "training_log.json").read_text())
    assert log["steps"] == train.STEPS == log["log"][-1]["step"] and log["log"][-1]["loss"] < 1e-2
