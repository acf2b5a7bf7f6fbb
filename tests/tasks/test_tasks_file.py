"""Anybody's own prompts: task file("my.jsonl")."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitdsl import tasks
from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.tasks import TaskError, describe, example_file, file_lines
from circuitdsl.tasks import file as file_task

open_task: Any = tasks.open_task  # what it gives here is always a FileTask
open_usable: Any = tasks.open_usable

LINE = {
    "prompt": "When Mary and John went to the store, John gave a drink to",
    "answer": " Mary",
    "wrong": [" John"],
    "counterfactuals": {"abc": "When Tom and Anna went to the store, James gave a drink to"},
    "positions": {"IO": [5, 9], "S1": [14, 18], "S2": [38, 42], "BOTH": [[5, 9], [14, 18]]},
    "template": "when",
}


def ref_to(folder, name="my.jsonl"):
    return TaskRef("file", (("", name),), folder=str(folder))


@pytest.fixture
def written(tmp_path):
    """Write lines (objects or raw text) to my.jsonl and return the reference to it."""

    def write(*lines):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        (tmp_path / "my.jsonl").write_text(text, encoding="utf-8")
        return ref_to(tmp_path)

    return write


def complaint(ref):
    with pytest.raises(UnknownName) as caught:
        describe(ref)
    assert caught.value.remedy
    return "\n".join((caught.value.message, *caught.value.notes))


def test_the_page_s_own_example_works(written, tokenizer):
    task = open_task(written(LINE))
    assert task.info.name == 'file("my.jsonl")'
    assert {(p.name, p.many) for p in task.info.positions} == {
        ("IO", False),
        ("S1", False),
        ("S2", False),
        ("BOTH", True),
        ("END", False),
    }
    assert [name for name, _ in task.info.counterfactuals] == ["abc"]
    assert task.info.default_counterfactual == "abc"
    drawn = task.draw(tokenizer, 10, seed=0, bos=True)
    (prompt,) = drawn.prompts
    assert drawn.exhausted
    words = {n: [tokenizer.decode([prompt.tokens[i]]).strip() for i in at] for n, at in prompt.positions.items()}
    assert words == {"IO": ["Mary"], "S1": ["John"], "S2": ["John"], "BOTH": ["Mary", "John"], "END": ["to"]} | {
        "BOS": [tokenizer.bos_token]
    }
    assert prompt.template == "when"


def test_the_least_that_a_line_needs(written, mini):
    task = open_task(written({"prompt": "When Mary met John", "answer": " Anna", "wrong": [" Tom"]}, "", "  "))
    (prompt,) = task.draw(mini, 5, 0, False).prompts
    assert set(prompt.positions) == {"END"} and prompt.counterfactuals == {}
    assert prompt.options == (prompt.answer, *prompt.wrong)
    assert task.info.default_counterfactual is None


def test_all_lines_come_once_and_templates_take_turns(written, mini):
    lines = [LINE | {"template": "ab"[i % 5 == 0], "answer": f" {name}"} for i, name in enumerate(["Mary", "Tom"] * 10)]
    task = open_task(written(*lines))
    assert task.info.templates == 2
    everything = task.draw(mini, 100, seed=1, bos=False)
    assert everything.exhausted and len(everything.prompts) == 20
    assert sorted(p.template for p in everything.prompts) == sorted(line["template"] for line in lines)
    for i in range(0, 8, 2):
        assert {p.template for p in everything.prompts[i : i + 2]} == {"a", "b"}
    some = task.draw(mini, 7, seed=1, bos=False)
    assert some.prompts == everything.prompts[:7] and not some.exhausted
    assert task.draw(mini, 20, seed=1, bos=False).exhausted


def test_a_relative_name_counts_from_the_spec_s_folder(tmp_path, monkeypatch, written):
    written(LINE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert describe(ref_to(tmp_path)).templates == 1
    assert describe(ref_to("/nowhere", str(tmp_path / "my.jsonl"))).templates == 1
    assert "my.jsonl: there is no such file" in complaint(ref_to("."))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[1]", "a list where an object {...} should be"),
        ("null", "null where an object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"prompt": "a", "prompt": "b"}', '"prompt" is given twice'),
        ({"answer": " Mary", "wrong": [" John"]}, '"prompt" is missing'),
        ({"prompt": "When", "wrong": [" John"]}, '"answer" is missing'),
        ({"answer": " Mary", "clean": "When"}, 'unknown field "clean"; "prompt" is missing'),
        (LINE | {"anser": 1}, 'unknown field "anser"'),
        (LINE | {"zzz": 1, "yyy": 2}, 'unknown fields "zzz", "yyy"'),
        (LINE | {"prompt": 3}, '"prompt" is a number, not a string'),
        (LINE | {"item": 3}, '"item" is a number, not a string'),
        (LINE | {"item": " "}, '"item" is empty'),
        (LINE | {"prompt": " "}, '"prompt" is empty'),
        (LINE | {"prompt": "\ud800"}, '"prompt" holds half of a surrogate pair'),
        (LINE | {"wrong": []}, '"wrong" is an empty list'),
        (LINE | {"wrong": [None]}, '"wrong" is null, not an answer'),
        (LINE | {"wrong": True}, '"wrong" is true or false, not an answer'),
        (LINE | {"wrong": 10**4000}, '"wrong" is a number, not an answer'),
        (LINE | {"wrong": {"first": " a", "last": " b"}}, '"wrong" is an object, not an answer'),
        (LINE | {"wrong": {"first": 3}}, '"first of wrong" is a number, not a string'),
        (LINE | {"wrong": [" Mary"]}, 'the right answer " Mary" is also listed as wrong'),
        (LINE | {"options": [" John"]}, '"options" leaves out the answer'),
        (LINE | {"right": [" John"]}, 'the right answer " John" is also listed as wrong'),
        (LINE | {"right": [" Kate"], "options": [" Mary", " John"]}, '"options" leaves out the answer " Kate"'),
        (LINE | {"right": {"a": 1}}, '"right" is an object, not an answer'),
        (LINE | {"answer": []}, '"answer" is an empty list'),
        (LINE | {"template": True}, '"template" is true or false, not a string'),
        (LINE | {"counterfactuals": ["x"]}, '"counterfactuals" is a list, not an object of names'),
        (LINE | {"counterfactuals": {"a b": "x"}}, '"a b" in "counterfactuals" is not a name'),
        (
            LINE | {"counterfactuals": {"abc": {}}},
            'the counterfactual abc is an object of none, not of "text" and "predicts"',
        ),
        (LINE | {"positions": {"S-1": [0, 4]}}, '"S-1" in "positions" is not a name'),
        (LINE | {"positions": {"END": [0, 4]}}, "the position END is always there"),
        (LINE | {"positions": {"P": []}}, "position P is [], not words, [start, end]"),
        (LINE | {"positions": {"P": [1]}}, "position P is [1], not words, [start, end]"),
        (LINE | {"positions": {"P": [0, True]}}, "position P is [0, true], not words, [start, end]"),
        (LINE | {"positions": {"P": [0, 1.5]}}, "position P is [0, 1.5], not words"),
        (LINE | {"positions": {"P": [[0, 4], 5]}}, "position P is 5, not words, [start, end]"),
        (LINE | {"positions": {"P": {"tokens": []}}}, "position P is an object, not words"),
        (LINE | {"positions": {"P": {"tokens": [1, "x"]}}}, "position P is an object, not words"),
        (LINE | {"positions": {"P": "Kate"}}, 'position P is "Kate", which are no words of the prompt'),
        (LINE | {"positions": {"P": "Joh"}}, 'position P is "Joh", which are no words of the prompt'),
        (LINE | {"positions": {"P": "John#3"}}, 'position P is "John#3", but the prompt says "John" 2 times'),
        (LINE | {"positions": {"P": " "}}, "which is no word"),
        (LINE | {"positions": {"P": [4, 4]}}, "position P is [4, 4], but the prompt has characters 0 to 58"),
        (LINE | {"positions": {"P": [0, 59]}}, "position P is [0, 59], but the prompt has characters 0 to 58"),
        (LINE | {"positions": {"P": [-1, 4]}}, "position P is [-1, 4], but"),
        (LINE | {"positions": {"P": [4, 5]}}, "position P, [4, 5], covers only white space"),
        (LINE | {"counterfactuals": {}}, "its counterfactuals are none, those of line 1 abc"),
        ({key: LINE[key] for key in LINE if key != "wrong"}, "it gives no wrong answers, and line 1 some"),
    ],
)
def test_a_bad_line_is_named_and_explained(written, bad, message):
    said = complaint(written(LINE, "", bad))
    assert said.startswith("my.jsonl, line 3: ")
    assert message in said


def test_several_mistakes_come_in_one_message(written):
    said = complaint(written("{", LINE, "[]", *["3"] * 20)).splitlines()
    assert said[0].startswith("my.jsonl, line 1: not JSON")
    assert said[1].startswith("my.jsonl, line 3: an empty list where an object")
    assert len(said) == 11 and said[-1] == "and 12 more"


@pytest.mark.parametrize("key", ["positions", "counterfactuals"])
@pytest.mark.parametrize("name", ["edge", "role", "at", "mlp", "logits", "to", "bos", "in"])
def test_a_name_that_no_specification_can_write_is_refused(written, key, name):
    given = {name: [5, 9] if key == "positions" else "When Tom met"}
    said = complaint(written({"prompt": "When Mary met", "answer": " Tom", "wrong": [" Jim"], key: given}))
    assert f'"{name}" in "{key}" is a word of the language, which no name can be: write "{name}_"' in said


def test_a_position_of_one_s_own_called_bos_stays_what_it_is(written, mini):
    line = {"prompt": "When Mary met John", "answer": " Anna", "wrong": [" Tom"], "positions": {"BOS": [5, 9]}}
    (prompt,) = open_task(written(line)).draw(mini, 1, 0, bos=True).prompts
    assert prompt.positions["BOS"] == (2,)


def test_a_bos_that_prompts_spell_is_noted_where_one_is_put_before_them(written, mini):
    line = {"prompt": "<bos> When Mary met John", "answer": " Anna", "wrong": [" Tom"]}
    task = open_task(written(line, line | {"prompt": "When Tom met John", "wrong": [" Mary"]}))
    drawn = task.draw(mini, 2, 0, bos=True)
    (note,) = drawn.notes
    assert "1 of 2 lines (line 1) begin with <bos>" in note and "no second one" in note
    assert [prompt.tokens.count(mini.bos_token_id) for prompt in drawn.prompts] == [1, 1]
    assert task.draw(mini, 2, 0, bos=False).notes == ()


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jsonl").write_text("\n\n")
    (tmp_path / "latin.jsonl").write_bytes(b'{}\n{"prompt": "caf\xe9"}\n')
    assert "there is no such file" in complaint(ref_to(tmp_path, "none.jsonl"))
    assert "there is no such file" in complaint(ref_to(tmp_path, "folder"))
    assert "nul\0l" in complaint(ref_to(tmp_path, "nul\0l"))
    assert complaint(ref_to(tmp_path, "empty.jsonl")) == "empty.jsonl: there are no prompts in it"
    assert complaint(ref_to(tmp_path, "latin.jsonl")) == "latin.jsonl, line 2: not UTF-8"
    monkeypatch.setattr(file_task, "MAX_BYTES", 10)
    assert "more than the limit" in complaint(ref_to(tmp_path, "latin.jsonl"))


def test_a_line_over_the_limit(written, monkeypatch):
    monkeypatch.setattr(file_lines, "MAX_LINE", 100)
    assert "characters, more than the limit of 100" in complaint(written(LINE))


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(tmp_path):
    (tmp_path / "my.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(LINE)}\r\n{json.dumps(LINE)}\r\n".encode())
    assert describe(ref_to(tmp_path)).about == "2 prompts of your own"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (("", 3),),
        (("path", "my.jsonl"),),
        (("", "a.jsonl"), ("", "b.jsonl")),
        (("", "a"), ("x", 1)),
        (("skip", "yes"),),
    ],
)
def test_other_arguments_are_refused(arguments):
    with pytest.raises(UnknownName, match="takes one argument, a file's name") as caught:
        describe(TaskRef("file", arguments))
    assert caught.value.remedy.startswith('write: file("my.jsonl")')


@pytest.mark.parametrize("skip", [("maybe",), (1,), ("yes", "yes")])
def test_lines_are_skipped_or_not(skip):
    with pytest.raises(UnknownName, match="`skip` of the task file is `yes`, or not there"):
        describe(TaskRef("file", (("", "my.jsonl"), *(("skip", value) for value in skip))))


def position_words(task, tokenizer, bos=False):
    """The words at each position of a task's one prompt."""
    (prompt,) = task.draw(tokenizer, 1, 0, bos).prompts
    return {name: [tokenizer.decode([prompt.tokens[i]]).strip() for i in at] for name, at in prompt.positions.items()}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("John", ["John"]),
        (" Mary ", ["Mary"]),
        ("the store", ["store"]),
        (["Mary", "John#2", [14, 18]], ["Mary", "John", "John"]),
        (3, ["John"]),
        ({"tokens": [9, 1, 1]}, ["Mary", "John"]),
    ],
)
def test_positions_are_words_characters_or_tokens(written, tokenizer, given, words):
    task = open_task(written(LINE | {"positions": {"P": given}}))
    assert position_words(task, tokenizer)["P"] == words
    assert position_words(task, tokenizer, bos=True)["P"] == words
    (info, _) = task.info.positions
    assert info.many == (len(words) > 1)


def test_the_same_word_is_told_apart_by_its_number(written, mini):
    given = {"A": "John", "B": "John#1", "C": "John#2", "D": "Mary"}
    (prompt,) = open_task(written(LINE | {"positions": given})).draw(mini, 1, 0, False).prompts
    assert {name: prompt.positions[name] for name in given} == {"A": (3,), "B": (3,), "C": (9,), "D": (1,)}


def test_words_that_hold_a_number_sign_are_taken_as_they_stand(written):
    (line,) = open_task(written({"prompt": "play C#2 or C", "answer": " a", "positions": {"P": "C#2", "Q": "C"}})).lines
    assert line[1].spans == {"P": ((5, 8),), "Q": ((5, 6),)}


def test_a_token_that_the_prompt_does_not_have(written, mini):
    ref = written(LINE | {"positions": {"P": 14}})
    with pytest.raises(TaskError) as caught:
        open_task(ref).draw(mini, 1, 0, False)
    assert caught.value.message == "my.jsonl, line 1: position P: there is no token 14"
    assert caught.value.remedy.startswith("the prompt's tokens are 0 to 13")


def test_answers_are_texts_first_tokens_or_numbers(written, gpt2):
    first = {"first": " kaleidoscope"}
    number = gpt2.convert_tokens_to_ids("ĠTom")
    line = LINE | {"answer": [" Mary", number], "right": first, "wrong": [" John", {"first": " Zzyzx"}]}
    (prompt,) = open_task(written(line)).draw(gpt2, 1, 0, False).prompts
    assert [gpt2.decode([token]) for token in prompt.right] == [" Mary", " Tom", " kale"]
    assert [gpt2.decode([token]) for token in prompt.wrong] == [" John", " Z"]
    assert prompt.answer == prompt.right[0] and set(prompt.options) == {*prompt.right, *prompt.wrong}


@pytest.mark.parametrize(("token", "known"), [(-1, False), (0, True), (50256, True), (50257, False)])
def test_a_number_is_a_token_of_the_vocabulary(written, gpt2, token, known):
    task = open_task(written(LINE | {"answer": token}))
    if known:
        assert task.draw(gpt2, 1, 0, False).prompts[0].answer == token
    else:
        with pytest.raises(TaskError, match=f"the vocabulary has no token {token}"):
            task.draw(gpt2, 1, 0, False)


def test_what_a_file_does_not_give_is_known_without_a_tokenizer(written):
    bare = {"prompt": "When Mary met John", "answer": " Anna"}
    info = describe(written(bare))
    assert (info.wrong, info.counterfactuals, info.templates) == (False, (), 1)
    assert describe(written(LINE)).wrong and describe(written(LINE)).choice
    assert not info.choice and describe(written(bare | {"options": [" Anna", " Tom"]})).choice


def test_lines_that_differ_from_most_are_the_ones_at_fault(written):
    bare = {"prompt": "When Mary met John", "answer": " Anna"}
    with pytest.raises(UnknownName) as caught:
        describe(written(bare, LINE, LINE))
    assert [(fault.line, fault.message) for fault in caught.value.faults] == [
        (1, "its counterfactuals are none, those of line 2 abc")
    ]
    assert caught.value.usable == 2


def test_all_lines_that_cannot_be_used_are_found_at_once(written, mini):
    lines = (LINE, "{", LINE | {"answer": " kaleidoscope"}, LINE, LINE | {"wrong": [" the store"]})
    task = open_usable(written(*lines))
    found = task.examine(mini, False)
    assert [fault.line for fault in found.faults] == [2, 3, 5] and found.lines == 5
    assert all(fault.remedy for fault in found.faults)
    assert "kaleidoscope" in found.faults[1].message
    with pytest.raises(UnknownName) as caught:
        open_task(written(*lines))
    assert [fault.line for fault in caught.value.faults] == [2]


def test_a_draw_that_meets_a_bad_line_names_all_of_them(written, gpt2):
    ref = written(LINE, LINE | {"answer": " kaleidoscope"}, LINE, LINE | {"wrong": [" the store"]})
    with pytest.raises(TaskError) as caught:
        open_task(ref).draw(gpt2, 10, 0, False)
    assert caught.value.message.startswith('my.jsonl, line 2: the answer " kaleidoscope" is not one token')
    assert "2 of 4 lines cannot be used, also 4" in caught.value.message
    assert "skip: yes" in caught.value.remedy and '{"first": " kaleidoscope"}' in caught.value.remedy


def test_the_rest_is_used_where_lines_are_to_be_skipped(written, gpt2):
    bad = [LINE | {"answer": " kaleidoscope", "template": "odd"}, "[]"]
    ref = written(LINE, *bad, *[LINE | {"answer": f" {name}"} for name in ("Tom", "Anna", "James")])
    task = open_task(replace(ref, arguments=(*ref.arguments, ("skip", "yes"))))
    drawn = task.draw(gpt2, 10, 3, False)
    assert len(drawn.prompts) == 4 and drawn.exhausted and drawn.shares == {"when": 1.0}
    assert drawn.notes[0].startswith("my.jsonl: 4 of 6 lines are used; 2 cannot be used and are skipped (line 2: the a")
    assert task.draw(gpt2, 2, 3, False).prompts == drawn.prompts[:2]
    assert task.every(gpt2, 3, False).prompts == drawn.prompts


def test_how_many_lines_are_used_is_said_where_it_is_not_all(written, mini):
    task = open_task(written(*[LINE | {"answer": f" {name}"} for name in ("Tom", "Anna", "James")]))
    assert task.draw(mini, 2, 0, False).notes[0] == "my.jsonl: 2 of 3 lines are used"
    assert not any("are used" in note for note in task.draw(mini, 3, 0, False).notes)


def test_nothing_is_skipped_to_nothing(written, gpt2):
    ref = written(LINE | {"answer": " kaleidoscope"})
    task = open_task(replace(ref, arguments=(*ref.arguments, ("skip", "yes"))))
    with pytest.raises(TaskError, match="kaleidoscope"):
        task.draw(gpt2, 10, 0, False)


def test_the_file_to_begin_with_is_right(tmp_path, tokenizer):
    (tmp_path / "my.jsonl").write_text(example_file())
    task = open_task(ref_to(tmp_path))
    assert (task.info.templates, task.info.listed, task.info.default_counterfactual) == (2, 8, "abc")
    found = task.examine(tokenizer, False)
    assert (found.faults, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": " kaleidoscope"}, 'the answer " kaleidoscope" is not one token'),
        ({"wrong": [" the store"]}, 'the answer " the store" is not one token'),
        ({"counterfactuals": {"abc": "When Tom went"}}, "the counterfactual abc has 3 tokens, the prompt 14"),
    ],
)
def test_what_only_the_tokenizer_sees_names_the_line(written, gpt2, change, message):
    task = open_task(written(LINE, "", LINE | change))
    with pytest.raises(TaskError) as caught:
        task.draw(gpt2, 10, seed=0, bos=False)
    assert caught.value.message.startswith("my.jsonl, line 3: ")
    assert message in caught.value.message


def test_a_value_that_is_deep_or_long_is_named_in_few_words(written):
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    said = complaint(written(LINE | {"positions": {"P": deep}}, LINE | {"answer": deep}, LINE | {"x" * 9000: 1}))
    assert len(said) < 1000 and "position P is a list, not words" in said
    assert len(complaint(written(LINE | {"prompt": "word " * 40_000, "positions": {"P": "wrod"}}))) < 1000


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    line=st.text()
    | anything.map(json.dumps)
    | st.dictionaries(st.sampled_from([*LINE, "x"]), anything).map(json.dumps)
    | st.fixed_dictionaries(
        {"prompt": st.just(LINE["prompt"]), "answer": anything | st.just(" Mary")},
        optional={"positions": st.dictionaries(st.sampled_from(["P", "Q"]), anything), "wrong": anything},
    ).map(json.dumps)
)
def test_no_line_gets_a_traceback(tmp_path_factory, mini, line):
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.jsonl").write_bytes(line.encode("utf-8", "surrogatepass"))
    try:
        info = describe(ref_to(folder, "any.jsonl"))
    except UnknownName as error:
        assert error.message.startswith("any.jsonl")
    else:
        assert info.templates >= 1
        found = open_task(ref_to(folder, "any.jsonl")).examine(mini, False)
        assert len(found.faults) <= found.lines and all(fault.message and fault.remedy for fault in found.faults)
