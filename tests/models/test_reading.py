"""Files of prompts as the tokenizers of models read them, without the models: what `lint` says of their lines."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.language.environment import TaskRef
from circuitdsl.models.folders import added_folder, is_model
from circuitdsl.models.tokenizer import light_tokenizer
from shared_data import CASES

SPEC = """circuit c {{
  model {model}
  task file("my.jsonl"{more})
  expect accuracy >= 1%
}}
"""
LINE = {
    "prompt": "When Mary and John went to the store, John gave a drink to",
    "answer": " Mary",
    "wrong": [" John"],
    "template": "t",
}
OTHER = LINE | {"answer": " Anna"}


def linted(folder: Path, *lines: object, model: str = "mini", more: str = "") -> list[tuple[str, str, int, str]]:
    """What `lint` says of a circuit on these lines: codes, names of files, lines and messages."""
    (folder / "my.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "my.circuit").write_text(SPEC.format(model=model, more=more))
    found = cd.lint(folder / "my.circuit")
    assert all(each.remedy for each in found if each.severity == "error")
    return [(each.code, Path(each.span.file).name, each.span.line, each.message) for each in found]


def test_every_line_that_a_tokenizer_cannot_read_is_named_with_those_that_are_no_prompts(tmp_path: Path):
    found = linted(tmp_path, LINE, [1], LINE | {"answer": " kaleidoscope"}, OTHER, LINE | {"answer": " the drink"})
    assert [each[:3] for each in found] == [("C231", "my.jsonl", line) for line in (2, 3, 5)]
    assert [each[3].startswith(f"line {line}: ") for each, line in zip(found, (2, 3, 5), strict=True)]


def test_lines_that_are_skipped_are_warnings(tmp_path: Path):
    found = linted(tmp_path, LINE, [1], OTHER, more=", skip: yes")
    assert [each[:3] for each in found] == [("C495", "my.jsonl", 2)] and found[0][3].endswith("(it is skipped)")
    assert cd.load(tmp_path / "my.circuit").circuits[0].task_info.listed == 2


def test_notes_on_files_are_warnings(tmp_path: Path):
    found = linted(tmp_path, LINE | {"prompt": LINE["prompt"] + " "}, LINE, LINE)
    assert [code for code, *_ in found] == ["C495"] * 2
    assert "3 lines are 2 distinct prompts" in found[0][3] and "end in a space" in found[1][3]


def test_prompts_of_different_lengths_and_no_template(tmp_path: Path):
    bare = {"answer": " Mary", "wrong": [" John"]}
    found = linted(tmp_path, bare | {"prompt": LINE["prompt"]}, bare | {"prompt": "When Mary and John went to"})
    (note,) = [message for code, *_, message in found if "tokens" in message]
    assert "no line names its `template`, and prompts have 6 to 14 tokens, so that no mean by template" in note


def test_a_model_whose_tokenizer_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = linted(tmp_path, LINE, LINE, model="gpt2-xl")
    assert [(code, file) for code, file, *_ in found] == [("C496", "my.circuit")]


def test_what_else_is_wrong_comes_in_the_same_call(tmp_path: Path):
    linted(tmp_path, LINE, LINE | {"answer": " kaleidoscope"})
    text = SPEC.format(model="mini", more="").replace("accuracy", "acuracy")
    (tmp_path / "my.circuit").write_text(text)
    assert [each.code for each in cd.lint(tmp_path / "my.circuit")] == ["C205", "C231"]
    assert [each.code for each in cd.lint_text(text, str(tmp_path / "x.circuit"))] == ["C205", "C231"]


def test_a_file_of_prompts_is_linted_by_itself(tmp_path: Path):
    linted(tmp_path, LINE, LINE | {"answer": " kaleidoscope"}, [])
    path = tmp_path / "my.jsonl"
    assert [(each.code, each.span.line) for each in cd.lint(path, model="mini")] == [("C231", 2), ("C231", 3)]
    path.write_text("[]\n")
    assert [(each.code, each.span.line) for each in cd.lint(path, model="mini")] == [("C231", 1)]
    path.write_text("")
    assert [(each.code, each.span.line) for each in cd.lint(path, model="mini")] == [("C202", 0)]
    with pytest.raises(cd.InputError, match="whose tokenizer"):
        cd.lint(path)
    with pytest.raises(cd.InputError, match="not on this machine"):
        cd.lint(path, model="gpt2-xl")


@pytest.mark.parametrize("model", ["mini", "planted-ioi", "smollm2-135m"])
def test_a_light_tokenizer_reads_as_the_model_s_own(model: str):
    if model == "smollm2-135m" and not is_model(added_folder(model)):
        pytest.skip(f"{model} is not here: circuitdsl models add {model}")
    light, own = light_tokenizer(model), cd.models.tokenizer_of(model)
    for task in (TaskRef("ioi"), TaskRef("induction")):  # the second draws from all tokens that are not special
        assert cd.tasks.draw(task, light, 30, 0, True) == cd.tasks.draw(task, own, 30, 0, True)
    assert set(light.all_special_ids) == set(own.all_special_ids)
    assert (light.bos_token, light.unk_token_id, len(light)) == (own.bos_token, own.unk_token_id, len(own))


def test_lines_are_read_without_torch(tmp_path: Path):
    linted(tmp_path, LINE)
    script = f"import sys, circuitdsl as cd; cd.lint({str(tmp_path / 'my.circuit')!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


# --- prompts as people write them --------------------------------------------------------------------

USABLE = {
    "bosintext", "d_nopos", "dupw2", "e_tmpl", "endname", "g_nocf", "i_string_wrong", "j_trailing", "k_samecf", "multi",
    "noop_half", "nospace", "nowrong", "single_templ", "span2", "tokid", "tokpos", "words",
}  # fmt: skip
UNUSABLE = {
    "a_multitok": '{"first": " isolationists"} means its first token alone',
    "anslist": '{"first": "33"} means its first token alone',
    "answers": 'write "answer" for "answers"; write "wrong" for "wrong_answers"',
    "autoc": 'write "prompt" for "clean"; write "counterfactuals": {"corrupt": "..."} for "corrupt"',
    "b_nospace": 'write it with the space before it, " is"',
    "c_span": 'write words of the prompt, "SUBJ": "key"',
    "eapig": 'write "answer" for "correct_idx"; write "wrong" for "incorrect_idx"',
    "f_minimal": "positions here: `END`, `all`",
    "h_extra": 'did you mean "prompt" by "promt"?',
    "l_broken": "write one JSON object a line, such as",
    "m_empty": "`circuitdsl tasks new other.jsonl` writes a file to begin with",
    "right": '{"first": "33"} means its first token alone',
    "two": "a line is such as",
}


@pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases at {CASES}")
@pytest.mark.skipif(not is_model(added_folder("smollm2-135m")), reason="they are about smollm2-135m")
def test_each_case_works_or_says_what_to_write():
    with chdir(CASES / "jsonl"):
        for path in sorted(Path().glob("*.circuit")):
            errors = [each for each in cd.lint(path) if each.severity == "error"]
            if path.stem in USABLE:
                assert errors == [], path
            else:
                assert UNUSABLE[path.stem] in errors[0].remedy, path
