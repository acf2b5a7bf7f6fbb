"""Facts: what is asked, what counterfactuals and variables lead to, and files of relations, LRE's among them."""

from __future__ import annotations

import json

import pytest

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.models.facts.tokenizer import build
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks.invented import HELD_OUT, OBJECTS, PEOPLE, WORDINGS, world

CAPITAL = {
    "name": "country capital city",
    "properties": {"relation_type": "factual"},  # a field of LRE that is not read
    "relation_words": ["capital"],
    "prompt_templates": ["The capital of {} is"],
    "prompt_templates_zs": ["The capital of {} is", "In {} the capital is"],
    "held_out_templates": ["What is the capital of {}? It is"],
    "samples": [
        {"subject": "France", "object": "Paris"},
        {"subject": "Japan", "object": "Tokyo"},
        {"subject": "Germany", "object": "Berlin"},
    ],
}
LANGUAGE = {
    "name": "language",
    "relation_words": ["language"],
    "prompt_templates": ["The language of {} is"],
    "samples": [{"subject": "France", "object": "French"}, {"subject": "Japan", "object": "Japanese"}],
}


@pytest.fixture(scope="module")
def words():
    return build()


@pytest.fixture
def folder(tmp_path):
    """The relations as LRE's files put one after the other, laid out over lines and not."""
    (tmp_path / "two.json").write_text(json.dumps(CAPITAL, indent=2) + "\n" + json.dumps(LANGUAGE))
    (tmp_path / "one.jsonl").write_text(json.dumps(CAPITAL))
    return tmp_path


def ref(*arguments, folder=".") -> TaskRef:
    return TaskRef("facts", arguments, folder=str(folder))


def test_the_invented_world_gives_everybody_one_object_of_each_kind():
    for relation in world():
        objects = [fact.object for fact in relation.facts]
        assert len({fact.subject for fact in relation.facts}) == PEOPLE
        assert set(objects) == set(OBJECTS[relation.name]) and max(map(objects.count, objects)) <= 10
        held_out = WORDINGS[HELD_OUT[relation.name]].format(relation=relation.name)
        assert relation.held_out == (held_out,) and held_out not in relation.templates
        assert len(relation.templates) == len(WORDINGS) - 1


@pytest.mark.parametrize("arguments", [(), (("templates", "held_out"),), (("shots", 2.0),)])
def test_answers_and_predictions_are_what_the_world_says(arguments, words):
    known = {each.name: {fact.subject: fact.object for fact in each.facts} for each in world()}
    of = {thing: name for name, objects in OBJECTS.items() for thing in objects}
    for prompt in open_task(ref(*arguments)).draw(words, 60, seed=3, bos=False).prompts:
        relation, subject = prompt.template.split()[0], prompt.item
        place = prompt.positions["SUBJECT"][0]
        assert words.decode(prompt.tokens[place - 1 : place + 1]).strip() == subject
        assert words.decode([prompt.answer]).strip() == known[relation][subject]
        assert len(prompt.wrong) == 19 and set(prompt.options) == {prompt.answer, *prompt.wrong}
        other = words.decode(prompt.counterfactuals["other_subject"][place - 1 : place + 1]).strip()
        assert words.decode([prompt.predicted["subject"]]).strip() == known[relation][other]
        turned = words.decode([prompt.predicted["relation"]]).strip()
        assert of[turned] != relation and known[of[turned]][subject] == turned
        shown = [words.decode([prompt.tokens[i]]).strip() for i in prompt.positions.get("SHOWN", ())]
        assert {of[each] for each in shown} <= {relation} and len(shown) == dict(arguments).get("shots", 0)
        theirs = [
            words.decode([prompt.counterfactuals["other_relation"][i]]).strip()
            for i in prompt.positions.get("SHOWN", ())
        ]
        assert {of[each] for each in theirs} <= {of[turned]}
        if "RELATION" in prompt.positions:
            assert words.decode([prompt.tokens[prompt.positions["RELATION"][0]]]).strip() == relation


def test_a_file_of_lre_is_read_as_it_is(folder, gpt2):
    task = open_task(ref(("", "two.json"), folder=folder))
    assert task.info.templates == 3 and [each.name for each in task.info.variables] == ["subject", "relation"]
    found = task.every(gpt2, seed=0, bos=False)
    # Germany has no language, so that no other relation can be asked of it.
    texts = {prompt.text: prompt for prompt in found.prompts}
    assert set(texts) >= {"The capital of France is", "The language of Japan is"} and found.exhausted
    assert "The capital of Germany is" not in texts
    assert any("have no counterfactual of as many tokens" in note for note in found.notes)
    paris = texts["The capital of France is"]
    assert gpt2.decode([paris.answer]) == " Paris"
    assert gpt2.decode(paris.counterfactuals["other_relation"]) == "The language of France is"
    assert gpt2.decode([paris.predicted["relation"]]) == " French"
    assert gpt2.decode(paris.counterfactuals["other_subject"]) in (
        "The capital of Japan is",
        "The capital of Germany is",
    )
    assert paris.positions == {"SUBJECT": (3,), "RELATION": (1,), "END": (4,)}


def test_one_relation_alone_has_no_other_and_a_subject_can_be_asked_alone(folder, gpt2):
    task = open_task(ref(("", "one.jsonl"), ("subject", "Japan"), folder=folder))
    assert [name for name, _ in task.info.counterfactuals] == ["other_subject"]
    texts = [prompt.text for prompt in task.every(gpt2, seed=0, bos=False).prompts]
    assert sorted(texts) == ["In Japan the capital is", "The capital of Japan is"]
    held_out = open_task(ref(("", "one.jsonl"), ("templates", "held_out"), folder=folder))
    assert all(text.startswith("What is") for text in (p.text for p in held_out.every(gpt2, 0, False).prompts))
    shown = open_task(ref(("", "one.jsonl"), ("shots", 1.0), folder=folder)).draw(gpt2, 5, 0, False).prompts
    for prompt in shown:
        first, second = prompt.text.split("\n")
        assert first.startswith("The capital of") and second.startswith("The capital of")
        assert gpt2.decode([prompt.tokens[prompt.positions["SHOWN"][0]]]) == " " + first.split()[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no relations"),
        ("[1]", "line 1: no object"),
        ('{"name": "a"}\n{"name": ', "line 1, relation a: it has no"),
        (json.dumps(CAPITAL) + "\n{", "line 2: not JSON"),
        (json.dumps(CAPITAL) * 2, "two relations are called country_capital_city"),
        (json.dumps(CAPITAL | {"prompt_templates": ["The capital"]}), "0 times"),
        (json.dumps(CAPITAL | {"samples": [{"subject": "France"}]}), '"object" of a sample'),
        (json.dumps(CAPITAL | {"samples": CAPITAL["samples"][:1]}), "fewer than two objects"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_holds_no_relations_is_told_so(text, message, tmp_path):
    (tmp_path / "wrong.jsonl").write_text(text)
    with pytest.raises(UnknownName, match=r"wrong\.jsonl") as caught:
        describe(ref(("", "wrong.jsonl"), folder=tmp_path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        (("relation", "colour"),),
        (("subject", "Nobody Here"),),
        (("shots", 1.5),),
        (("shots", "two"),),
        (("templates", "all"),),
        (("shots", 1.0), ("templates", "held_out")),
        (("other", 1.0),),
        (("", "missing.jsonl"),),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments):
    with pytest.raises(UnknownName):
        describe(ref(*arguments))


def test_a_vocabulary_without_the_world_is_refused_and_draws_only_append(gpt2, words):
    task = open_task(ref())
    assert task.draw(words, 40, 5, False).prompts[:9] == task.draw(words, 9, 5, False).prompts
    with pytest.raises(TaskError):
        open_task(ref()).draw(open_task_tokenizer(), 1, 0, False)


def open_task_tokenizer():
    from circuitdsl.models.arithmetic.tokenizer import build as digits

    return digits()
