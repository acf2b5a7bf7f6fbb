"""Lists of models: what a line says, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitdsl.errors import InputError
from circuitdsl.models.folders import MINI
from circuitdsl.models.listing import ListedModel, listed, of_revisions, read_listing

LIST = f"""# checkpoints, by step

mini                          # as it ships
pythia-125m@step3000
beside/step-250
{MINI}   step=5e3   label="as # shipped"
hub/model#1@main
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "models.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_line_names_a_model_and_may_say_its_step_and_label(tmp_path: Path):
    beside = tmp_path / "beside" / "step-250"
    beside.mkdir(parents=True)
    (beside / "config.json").write_text("{}")
    found = read_listing(written(tmp_path, LIST))
    assert found == (
        ListedModel("mini", None, "mini", None),
        ListedModel("pythia-160m", "step3000", "pythia-125m@step3000", 3000.0),
        ListedModel(str(beside), None, "beside/step-250", 250.0),
        ListedModel(str(MINI), None, "as # shipped", 5000.0),
        ListedModel("hub/model#1", "main", "hub/model#1@main", None),
    )


def test_a_folder_may_have_an_at_sign_in_its_name(tmp_path: Path):
    folder = tmp_path / "run@2" / "step10"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert listed(folder) == ListedModel(str(folder), None, str(folder), 10.0)


def test_a_folder_beside_the_list_may_have_one_too(tmp_path: Path):
    (tmp_path / "run@2").mkdir()
    (tmp_path / "run@2" / "config.json").write_text("{}")
    (found,) = read_listing(written(tmp_path, "run@2\n"))
    assert found == ListedModel(str(tmp_path / "run@2"), None, "run@2", None)


def test_a_number_is_a_step_only_after_the_word():
    steps = {name: listed(name).step for name in ("gpt2", "misstep5", "step7", "a/step_8/", "m@step-9", "step1x")}
    assert steps == {"gpt2": None, "misstep5": None, "step7": 7, "a/step_8/": 8, "m@step-9": 9, "step1x": None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n# nothing\n", "models.txt name no model"),
        ("mini\nmini\n", "models.txt call 2 models mini"),
        ("mini\ngpt2 step=soon\n", "models.txt, line 2: step=soon is no number"),
        ("mini step=nan\n", "models.txt, line 1: step=nan is no number"),
        ("mini gpt2\n", "models.txt, line 1: `gpt2` follows the model's name"),
        ("mini steps=4\n", "models.txt, line 1: `steps=4` says nothing that is known"),
        ('mini label="a\n', "models.txt, line 1: no closing quotation"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, says: str):
    with pytest.raises(InputError) as error:
        read_listing(written(tmp_path, text))
    assert says in error.value.message and error.value.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(InputError, match=r"none.txt: No such file"):
        read_listing(tmp_path / "none.txt")
    (tmp_path / "models.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is not UTF-8"):
        read_listing(tmp_path / "models.txt")


def test_revisions_of_one_model_are_called_by_themselves():
    assert of_revisions("gpt2", ["step1", "main"]) == (
        ListedModel("gpt2", "step1", "step1", 1.0),
        ListedModel("gpt2", "main", "main", None),
    )
    with pytest.raises(InputError, match="a revision has no name"):
        of_revisions("gpt2", ["step1", ""])
    with pytest.raises(InputError, match="call 2 models main"):
        of_revisions("gpt2", ["main", "main"])
