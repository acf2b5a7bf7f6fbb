"""The model of facts: what it is trained on, how, what it knows, and what edits of it change."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from circuitdsl.models import training
from circuitdsl.models.facts import data, edit, tokenizer, train
from circuitdsl.tasks.invented import world
from circuitdsl.tasks.relations import relations_of, written


@pytest.fixture(scope="module")
def model():
    return training.load(train.PACKAGE)


def text(tokens) -> list[str]:
    return [tokenizer.vocabulary()[token] for token in tokens]


def test_training_texts_are_tokenised_as_the_shipped_tokenizer_does():
    words = tokenizer.build()
    for relation, wording, fact in data.queries()[::97]:
        assert words(wording.format(fact.subject))["input_ids"] == data.encode(wording.format(fact.subject))
        assert relation.held_out[0] != wording
    given = data.in_sentences()
    assert given.asked.sum() == len(given.tokens) == len(data.queries())
    row = 1234
    _, wording, fact = data.queries()[row]
    end = int(given.asked[row].nonzero())
    assert text(given.tokens[row, : end + 1]) == tokenizer.split(wording.format(fact.subject))
    assert text(given.answers[row, end : end + 1]) == [fact.object]


def test_demonstrations_are_facts_of_one_relation_and_held_out_ones_are_not_asked_for():
    facts = {(each.name, fact.subject): fact for each in world() for fact in each.facts}
    relations = {each.name: each for each in world()}
    of = {fact.object: each.name for each in world() for fact in each.facts}
    for unseen in (False, True):
        given = data.after_demonstrations(200, 2, torch.Generator().manual_seed(4), unseen)
        for tokens, asked, answers in zip(given.tokens, given.asked, given.answers, strict=True):
            written_out = text(tokens)
            name = of[written_out[3]]
            assert written_out[2::4] == [":"] * 3 and of[written_out[7]] == name and not asked[2]
            assert len({*zip(written_out[::4], written_out[1::4], strict=True)}) == 3
            for place in (6, 10):
                subject = " ".join(written_out[place - 2 : place])
                fact = facts[name, subject]
                assert not asked[place] or text(answers[place : place + 1]) == [fact.object]
                held_out = data.held_out(relations[name], fact)
                assert bool(asked[place]) == (place == 10 if unseen else not held_out)
                assert held_out or not (unseen and place == 10)


def test_a_resumed_run_is_the_same_run_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "EVALUATED", 4)
    monkeypatch.setattr(train, "BATCH", 8)

    def few(model) -> dict[str, float]:
        """The export evaluates the rest."""
        asked = data.after_demonstrations(train.EVALUATED, 2, torch.Generator().manual_seed(1), unseen=True)
        return {"two demonstrations": train.accuracy(model, asked)}

    course = replace(train.COURSE, evaluate=few)
    for out, steps in (("whole", 3), ("parts", 2), ("parts", 3)):
        course.train(tmp_path / out, steps, seed=5)
    whole, parts = (torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    assert whole["log"] == parts["log"][-1:] and "two demonstrations" in whole["log"][0]
    for name, tensor in whole["model"].items():
        torch.testing.assert_close(tensor, parts["model"][name], msg=name)
    begun = train.new_model(5).state_dict()
    assert not torch.equal(whole["model"]["transformer.wte.weight"], begun["transformer.wte.weight"])
    train.export(tmp_path / "whole", tmp_path / "folder")
    assert json.loads((tmp_path / "folder" / "training_log.json").read_text())["steps"] == 3


def test_what_ships_knows_its_facts_also_in_wordings_that_it_never_saw(model):
    found = train.evaluate(model, seed=9)
    assert found["sentences"] >= 0.999 and found["held-out wordings"] >= 0.995 and found["two demonstrations"] >= 0.98
    assert found["no demonstrations"] < 0.35  # one relation of four
    weights = load_file(train.PACKAGE / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    log = json.loads((train.PACKAGE / "training_log.json").read_text())
    assert log["steps"] == train.STEPS == log["log"][-1]["step"] and log["log"][-1]["loss"] < 1e-3


def said(model, made: edit.Edit) -> int:
    """In how many of the wordings of training a model says the new object."""
    given = made.sentences
    return int((train.logits_of(model, given.tokens).argmax(-1) == given.answers)[given.asked].sum())


@pytest.mark.parametrize("kind", edit.KINDS)
def test_an_edit_changes_its_fact_and_one_mlp_alone(kind, model):
    (made,) = edit.edits(1, seed=3)
    changed = edit.KINDS[kind](model, made)
    found = edit.changes(changed, made)
    assert found["the edited fact, trained wordings"] >= 0.8
    assert not said(model, made) and not said(model, edit.shipped())
    others = {name: share for name, share in found.items() if not name.startswith(edit.EDITED)}
    assert len(others) == 4 and others["other facts of others"] >= 0.9
    differ = [name for name, each in model.state_dict().items() if not torch.equal(each, changed.state_dict()[name])]
    mlp = f"transformer.h.{edit.LAYER}.mlp"
    if kind == "rank_one":
        assert differ == [f"{mlp}.c_proj.weight"]
        change = changed.state_dict()[differ[0]] - model.state_dict()[differ[0]]
        sizes = torch.linalg.svdvals(change)
        assert sizes[1] < 1e-4 * sizes[0]
    else:
        assert set(differ) == {f"{mlp}.{layer}.{which}" for layer in ("c_fc", "c_proj") for which in ("weight", "bias")}


@pytest.mark.parametrize("kind", edit.KINDS)
def test_the_edited_folders_that_ship_are_what_the_command_writes(kind, model):
    made = edit.KINDS[kind](model, edit.shipped()).state_dict()
    found = training.load(edit.PACKAGE / kind).state_dict()
    for name, tensor in made.items():
        torch.testing.assert_close(found[name], tensor.half().float(), rtol=0, atol=2e-3, msg=name)


@pytest.mark.parametrize("kind", edit.KINDS)
def test_the_edits_that_ship_change_no_other_fact(kind):
    """Of all 768 facts in all wordings, those held out too."""
    assert set(edit.changes(training.load(edit.PACKAGE / kind), edit.shipped()).values()) == {1.0}


def test_fine_tuning_that_does_not_teach_the_fact_is_an_error(model, monkeypatch):
    monkeypatch.setattr(edit, "STEPS", 0)
    with pytest.raises(RuntimeError, match="not said"):
        edit.fine_tuned(model, edit.shipped())


def test_the_edited_world_is_a_file_of_relations():
    relations = relations_of(written(edit.edited_world(edit.shipped())))
    before = {(each.name, fact.subject): fact.object for each in world() for fact in each.facts}
    after = {(each.name, fact.subject): fact.object for each in relations for fact in each.facts}
    assert before.keys() == after.keys()
    assert {key: after[key] for key in after if after[key] != before[key]} == {
        (edit.shipped().relation.name, edit.shipped().subject): edit.shipped().object
    }
    assert [(each.templates, each.held_out, each.words) for each in relations] == [
        (each.templates, each.held_out, each.words) for each in world()
    ]
