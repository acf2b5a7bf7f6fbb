"""Anybody's own prompts: task file("my.jsonl")."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks import file as file_task

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
    return str(caught.value)


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
        ({"prompt": "When", "answer": " Mary"}, '"wrong" is missing'),
        (LINE | {"anser": 1}, 'unknown field "anser"; did you mean "answer"?'),
        (LINE | {"zzz": 1}, 'unknown field "zzz"; the fields are prompt, answer, wrong'),
        (LINE | {"prompt": 3}, '"prompt" is a number, not a string'),
        (LINE | {"item": 3}, '"item" is a number, not a string'),
        (LINE | {"item": " "}, '"item" is empty'),
        (LINE | {"prompt": " "}, '"prompt" is empty'),
        (LINE | {"prompt": "\ud800"}, '"prompt" holds half of a surrogate pair'),
        (LINE | {"wrong": " John"}, '"wrong" is a string, not a list of strings'),
        (LINE | {"wrong": []}, '"wrong" is an empty list, not a list of strings'),
        (LINE | {"wrong": [None]}, '"wrong" is null, not a string'),
        (LINE | {"wrong": [" Mary"]}, 'the answer " Mary" is also listed as wrong'),
        (LINE | {"options": [" John"]}, '"options" leaves out the answer'),
        (LINE | {"right": [" John"]}, 'the right answer " John" is also listed as wrong'),
        (LINE | {"right": [" Kate"], "options": [" Mary", " John"]}, '"options" leaves out the answer " Kate"'),
        (LINE | {"right": " Kate"}, '"right" is a string, not a list of strings'),
        (LINE | {"template": True}, '"template" is true or false, not a string'),
        (LINE | {"counterfactuals": ["x"]}, '"counterfactuals" is a list, not an object of names'),
        (LINE | {"counterfactuals": {"a b": "x"}}, '"a b" in "counterfactuals" is not a name'),
        (LINE | {"counterfactuals": {"abc": {}}}, '"counterfactual abc" is an object, not a string'),
        (LINE | {"positions": {"S-1": [0, 4]}}, '"S-1" in "positions" is not a name'),
        (LINE | {"positions": {"END": [0, 4]}}, "the position END is always there"),
        (LINE | {"positions": {"P": 3}}, "position P is 3, not [start, end]"),
        (LINE | {"positions": {"P": []}}, "position P is [], not [start, end]"),
        (LINE | {"positions": {"P": [1]}}, "position P is [1], not [start, end]"),
        (LINE | {"positions": {"P": [0, True]}}, "position P is [0, true], not [start, end]"),
        (LINE | {"positions": {"P": [0, 1.5]}}, "not [start, end]"),
        (LINE | {"positions": {"P": [[0, 4], 5]}}, "position P is 5, not [start, end]"),
        (LINE | {"positions": {"P": [4, 4]}}, "position P is [4, 4], but the prompt has characters 0 to 58"),
        (LINE | {"positions": {"P": [0, 59]}}, "position P is [0, 59], but the prompt has characters 0 to 58"),
        (LINE | {"positions": {"P": [-1, 4]}}, "position P is [-1, 4], but"),
        (LINE | {"positions": {"P": [4, 5]}}, "position P, [4, 5], covers only white space"),
        (LINE | {"counterfactuals": {}}, "its counterfactuals are none, those of line 1 abc"),
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
    monkeypatch.setattr(file_task, "MAX_LINE", 100)
    assert "characters, more than the limit of 100" in complaint(written(LINE))


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(tmp_path):
    (tmp_path / "my.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(LINE)}\r\n{json.dumps(LINE)}\r\n".encode())
    assert describe(ref_to(tmp_path)).about == "2 prompts of your own"


@pytest.mark.parametrize(
    "arguments", [(), (("", 3),), (("path", "my.jsonl"),), (("", "a.jsonl"), ("", "b.jsonl")), (("", "a"), ("x", 1))]
)
def test_other_arguments_are_refused(arguments):
    with pytest.raises(UnknownName, match="takes one argument, a file's name") as caught:
        describe(TaskRef("file", arguments))
    assert caught.value.remedy == 'write: file("my.jsonl")'


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


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    line=st.text() | anything.map(json.dumps) | st.dictionaries(st.sampled_from([*LINE, "x"]), anything).map(json.dumps)
)
def test_no_line_gets_a_traceback(tmp_path_factory, line):
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.jsonl").write_bytes(line.encode("utf-8", "surrogatepass"))
    try:
        info = describe(ref_to(folder, "any.jsonl"))
    except UnknownName as error:
        assert error.message.startswith("any.jsonl")
    else:
        assert info.templates >= 1
