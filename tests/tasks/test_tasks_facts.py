"""Facts: what is asked, what counterfactuals and variables lead to, and files of relations, LRE's among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.models.facts.tokenizer import build
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks.facts_queries import ANY, Asked, pools_of
from circuitdsl.tasks.invented import HELD_OUT, OBJECTS, PEOPLE, WORDINGS, world
from circuitdsl.tasks.relations import relations_of, written

COUNTRIES = Path(__file__).parents[2] / "specs" / "smollm2-135m"

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
    "prompt_templates_zs": ["The language of {} is", "In {} the language is"],
    "samples": [{"subject": "France", "object": "French"}, {"subject": "Japan", "object": "Japanese"}],
}
MANY = {
    "prompt_templates": [f"{number} {{}}" for number in range(20)],
    "prompt_templates_zs": [],
    "held_out_templates": [],
    "samples": [{"subject": f"S{number}", "object": f"O{number}"} for number in range(50)],
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


def ref(*arguments, folder: str | Path = ".") -> TaskRef:
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
    assert task.info.templates == 4 and [each.name for each in task.info.variables] == ["subject", "relation"]
    found = task.draw(gpt2, 60, seed=0, bos=False)
    # Germany has no language, so that no other relation can be asked of it.
    texts = {prompt.text: prompt for prompt in found.prompts}
    assert set(texts) >= {"The capital of France is", "The language of Japan is"}
    assert "The capital of Germany is" not in texts
    assert any("have no counterfactual with all positions at the same tokens" in note for note in found.notes)
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
    texts = {prompt.text for prompt in task.draw(gpt2, 9, seed=0, bos=False).prompts}
    assert texts == {"In Japan the capital is", "The capital of Japan is"}
    held_out = open_task(ref(("", "one.jsonl"), ("templates", "held_out"), folder=folder))
    assert all(text.startswith("What is") for text in (p.text for p in held_out.draw(gpt2, 9, 0, False).prompts))
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
        (json.dumps(CAPITAL | {"prompt_templates": ["a" * 1001 + "{}"]}), "more than 1,000 characters"),
        (json.dumps(CAPITAL | {"relation_words": ["a"] * 21}), 'more than 20 "relation_words"'),
        (json.dumps(CAPITAL | {"samples": CAPITAL["samples"] * 1_000}), 'more than 2,000 "samples"'),
        ("".join(json.dumps(CAPITAL | {"name": f"r{i}"}) for i in range(201)), "line 1: more than 200 relations"),
        (json.dumps(CAPITAL | {"prompt_templates": [f"{i} {{}}" for i in range(1001)]}), "more than 1,000 templates"),
        (
            "\n".join(json.dumps(CAPITAL | {"name": f"r{i}"} | MANY) for i in range(45)),
            "more than 2,000,000 pairs of a fact in a wording and a relation",
        ),
    ],
)
def test_a_file_that_holds_no_relations_is_told_so(text, message, tmp_path):
    (tmp_path / "wrong.jsonl").write_text(text)
    with pytest.raises(UnknownName, match=r"wrong\.jsonl") as caught:
        describe(ref(("", "wrong.jsonl"), folder=tmp_path))
    assert message in str(caught.value)


@pytest.mark.parametrize("arguments", [(("relation", "r7"),), (("templates", "held_out"),)])
def test_of_a_large_file_what_is_asked_counts(arguments, tmp_path):
    """All wordings of all relations would be too many pairs, as in ParaRel."""
    plain = MANY | {"prompt_templates": ["0 {}"], "prompt_templates_zs": MANY["prompt_templates"]}
    relations = [plain | {"name": f"r{i}", "held_out_templates": ["by {}"]} for i in range(45)]
    large = [each | {"samples": pairs(*(f"S{k}:{each['name']} O{k}" for k in range(50)))} for each in relations]
    written_to(tmp_path, *large)
    with pytest.raises(UnknownName, match="more than 2,000,000 pairs") as caught:
        describe(ref(("", "my.jsonl"), folder=tmp_path))
    assert "ask for one relation" in caught.value.remedy
    assert describe(ref(("", "my.jsonl"), *arguments, folder=tmp_path)).templates in (20, 45)


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


def written_to(folder, *relations) -> str:
    (folder / "my.jsonl").write_text("".join(map(json.dumps, relations)))
    return "my.jsonl"


def pairs(*facts: str) -> list[dict[str, str]]:
    return [dict(zip(("subject", "object"), fact.split(":"), strict=True)) for fact in facts]


@pytest.mark.parametrize("arguments", [(), (("templates", "held_out"),), (("shots", 2.0),)])
def test_positions_stand_at_the_same_tokens_in_every_counterfactual(arguments, words):
    """A wording of as many tokens with the subject elsewhere is no counterpart."""
    for prompt in open_task(ref(*arguments)).draw(words, 100, seed=1, bos=False).prompts:
        (subject,) = prompt.positions["SUBJECT"]
        theirs = prompt.counterfactuals["other_relation"]
        assert theirs[subject - 1 : subject + 1] == prompt.tokens[subject - 1 : subject + 1]
        names = {words.decode([token]).strip() for at in prompt.positions.get("RELATION", ()) for token in [theirs[at]]}
        assert names <= set(OBJECTS)
        for found in prompt.counterfactuals.values():
            punctuation = [words.decode([token]).strip() == ":" for token in prompt.tokens]
            assert [words.decode([token]).strip() == ":" for token in found] == punctuation


def test_facts_that_all_have_one_object_but_one_are_found_in_time():
    """Each of them is compared with one of those that begin as it does, and not with all: 80 million pairs."""
    samples = [{"subject": f"S{number}", "object": "O" if number < 1999 else "P"} for number in range(2_000)]
    templates = [f"{number} {{}}" for number in range(20)]
    relations = relations_of(json.dumps(CAPITAL | {"samples": samples, "prompt_templates_zs": templates}))
    pools = pools_of(Asked(relations), ANY)
    assert [len(queries) for queries in pools.queries.values()] == [2_000] * 20


def test_relations_whose_wordings_stand_elsewhere_have_no_other_relation(tmp_path, gpt2):
    """As many tokens, but the subject is another one."""
    elsewhere = LANGUAGE | {"prompt_templates": ["In {} people speak only"], "prompt_templates_zs": []}
    capital = CAPITAL | {"prompt_templates_zs": ["The capital of {} is"]}
    task = open_task(ref(("", written_to(tmp_path, capital, elsewhere)), folder=tmp_path))
    found = task.draw(gpt2, 40, 0, False)
    assert {prompt.template.split()[0] for prompt in found.prompts} == {"country_capital_city", "language"}
    for prompt in found.prompts:
        assert [*prompt.counterfactuals] == ["other_subject"] and [*prompt.predicted] == ["subject"]
    (note,) = [note for note in found.notes if "other_relation" in note]
    assert note == (
        'prompts of "The capital of {} is", "In {} people speak only" have no other_relation: '
        "no wording of another relation has its positions at the same tokens"
    )


def test_what_is_alike_keeps_its_other_relation(tmp_path, gpt2):
    """A third relation whose wording is not alike does not take it from the two that are."""
    third = LANGUAGE | {"name": "speech", "prompt_templates": ["In {} people speak only"], "prompt_templates_zs": []}
    alike = CAPITAL | {"prompt_templates_zs": ["The capital of {} is"]}
    other = LANGUAGE | {"prompt_templates_zs": ["The language of {} is"]}
    task = open_task(ref(("", written_to(tmp_path, alike, other, third)), folder=tmp_path))
    has = {
        prompt.template.split()[0]: "other_relation" in prompt.counterfactuals
        for prompt in task.draw(gpt2, 60, 0, False).prompts
    }
    assert has == {"country_capital_city": True, "language": True, "speech": False}


def test_the_shipped_relations_of_countries_stand_at_the_same_tokens(gpt2):
    for arguments in ((), (("templates", "held_out"),), (("shots", 2.0),)):
        given = (("", "relations.jsonl"), *arguments)
        for prompt in open_task(ref(*given, folder=COUNTRIES)).draw(gpt2, 60, 0, False).prompts:
            (subject,), (relation,) = prompt.positions["SUBJECT"], prompt.positions["RELATION"]
            theirs = prompt.counterfactuals["other_relation"]
            assert theirs[subject] == prompt.tokens[subject] and theirs[relation] != prompt.tokens[relation]


def test_wordings_that_are_held_out_stand_in_no_other_prompt(words):
    held_out = {each.held_out[0] for each in world()}
    for prompt in open_task(ref()).draw(words, 300, seed=0, bos=False).prompts:
        for found in (prompt.tokens, *prompt.counterfactuals.values()):
            text = words.decode(found).replace(":", " :").replace("?", " ?")
            (subject,) = {each for each in (prompt.item, other_of(words, prompt)) if each in text}
            assert " ".join(text.replace(subject, "{}").replace(",", " ,").split()) not in held_out


def other_of(words, prompt) -> str:
    place = prompt.positions["SUBJECT"][0]
    return words.decode(prompt.counterfactuals["other_subject"][place - 1 : place + 1]).strip()


def test_no_demonstration_gives_an_answer_away(words):
    for prompt in open_task(ref(("shots", 2.0))).draw(words, 200, seed=0, bos=False).prompts:
        told = {prompt.answer, *prompt.predicted.values()}
        for found in (prompt.tokens, *prompt.counterfactuals.values()):
            assert told.isdisjoint(found[at] for at in prompt.positions["SHOWN"])


def test_too_few_facts_to_be_shown_are_refused_at_once(folder):
    with pytest.raises(UnknownName, match="2 others to be shown before it"):
        describe(ref(("", "one.jsonl"), ("shots", 2.0), folder=folder))


def test_prompts_whose_counterfactuals_are_drawn_are_not_all_listed():
    """Figures of one drawn counterfactual a fact would not be exact."""
    assert describe(ref()).listed == 0


def test_a_real_tokenizer_alone_says_which_subjects_have_as_many_tokens(tmp_path, gpt2):
    """To GPT-2 both are two tokens."""
    samples = pairs("Uzbekistan:Tashkent", "New Zealand:Wellington")
    task = open_task(ref(("", written_to(tmp_path, CAPITAL | {"samples": samples})), folder=tmp_path))
    assert {prompt.item for prompt in task.draw(gpt2, 9, 0, False).prompts} == {"Uzbekistan", "New Zealand"}
    assert task.layouts()


def test_all_objects_of_a_subject_are_right(tmp_path, gpt2):
    samples = pairs("France:Paris", "France:Lyon", "Japan:Lyon", "Germany:Berlin")
    name = written_to(tmp_path, CAPITAL | {"samples": samples})
    assert relations_of(written(relations_of((tmp_path / name).read_text()))) == relations_of(
        (tmp_path / name).read_text()
    )
    for prompt in open_task(ref(("", name), folder=tmp_path)).draw(gpt2, 30, 0, False).prompts:
        if prompt.item == "France":
            assert [gpt2.decode([token]) for token in prompt.answers] == [" Paris", " Lyon"]
            assert [gpt2.decode([token]) for token in prompt.wrong] == [" Berlin"]
            assert gpt2.decode([prompt.predicted["subject"]]) == " Berlin"


def test_prompts_about_one_subject_are_told_apart_by_the_other(words):
    prompts = open_task(ref(("relation", "home"), ("subject", "Ada Archer"))).draw(words, 40, 0, False).prompts
    assert {prompt.item for prompt in prompts} == {f"Ada Archer, {other_of(words, prompt)}" for prompt in prompts}


def test_a_vocabulary_without_the_world_is_refused_and_draws_only_append(gpt2, words):
    task = open_task(ref())
    assert task.draw(words, 40, 5, False).prompts[:9] == task.draw(words, 9, 5, False).prompts
    with pytest.raises(TaskError):
        open_task(ref()).draw(open_task_tokenizer(), 1, 0, False)


def open_task_tokenizer():
    from circuitdsl.models.arithmetic.tokenizer import build as digits

    return digits()
