"""The names that people write for well-known models, and where a relative path counts from."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders_of_models import copied

import circuitdsl as cd
from circuitdsl.models import geometry_of
from circuitdsl.models.names import hub_names, own_name

SPEC = "circuit c {{\n  model {}\n  task  ioi\n  expect logit_diff >= 0\n}}\n"


@pytest.mark.parametrize(
    ("written", "name", "hub"),
    [
        ("gpt2", "gpt2", "gpt2"),
        ("gpt2-small", "gpt2", "gpt2"),
        ("openai-community/gpt2", "gpt2", "gpt2"),
        ("openai-community/gpt2-xl", "gpt2-xl", "gpt2-xl"),
        ("distilbert/distilgpt2", "distilgpt2", "distilgpt2"),
        ("pythia-70m", "pythia-70m", "EleutherAI/pythia-70m"),
        ("EleutherAI/pythia-1.4b", "pythia-1.4b", "EleutherAI/pythia-1.4b"),
        ("EleutherAI/pythia-70m-deduped", "pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
        ("pythia-125m-deduped-v0", "pythia-160m-deduped-v0", "EleutherAI/pythia-160m-deduped-v0"),
        ("attn-only-2l", "attn-only-2l", "NeelNanda/Attn_Only_2L512W_C4_Code"),
        ("NeelNanda/GELU_1L512W_C4_Code", "gelu-1l", "NeelNanda/GELU_1L512W_C4_Code"),
        ("someone/gpt2-small", "someone/gpt2-small", "someone/gpt2-small"),
        ("gpt2-chinese", "gpt2-chinese", "gpt2-chinese"),
        ("my-model", "my-model", "my-model"),
    ],
)
def test_one_model_has_one_name(written, name, hub):
    assert own_name(written) == own_name(name) == name
    assert hub_names(written)[0] == hub


@pytest.mark.parametrize(
    ("name", "layers", "heads"),
    [
        ("gpt2-small", 12, 12),
        ("openai-community/gpt2-medium", 24, 16),
        ("EleutherAI/pythia-160m-deduped", 12, 12),
        ("pythia-12b", 36, 40),
        ("attn-only-1l", 1, 8),
        ("gelu-4l", 4, 8),
    ],
)
def test_their_shapes_are_known(name, layers, heads, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    shape = geometry_of(name)
    assert (shape.n_layers, shape.n_heads, shape.parallel_attn_mlp) == (layers, heads, "pythia" in name)
    assert (shape.d_mlp == 0) is name.startswith("attn-only")


@pytest.mark.parametrize(
    ("written", "meant"), [("gpt2-smal", "gpt2-small"), ("gpt2-xk", "gpt2-xl"), ("gtp-2", "gpt-2")]
)
def test_other_names_of_models_may_be_meant(written, meant, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (diagnostic,) = cd.lint_text(SPEC.format(written), str(tmp_path / "my.circuit"))
    assert diagnostic.remedy.startswith(f"did you mean `{meant}`?")
    with pytest.raises(cd.InputError) as error:
        cd.explain(written)
    assert error.value.remedy.startswith(f"did you mean {meant}?")
    assert "gpt2" in str(cd.explain("gpt2-small"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("openai-community/gpt2-smal", "openai-community/gpt2-small"),
        ("openai-comunity/gpt2", "openai-community/gpt2"),
        ("EleutherAI/pythia-160m-dedupd", "EleutherAI/pythia-160m"),
        ("NeelNanda/GELU_5L512W_C4_Code", "NeelNanda/GELU_4L512W_C4_Code"),
        ("distilbert/distilgpt", "distilbert/distilgpt2"),
    ],
)
def test_names_with_their_owners_may_be_meant(written, meant, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (diagnostic,) = cd.lint_text(SPEC.format(f'"{written}"'), str(tmp_path / "my.circuit"))
    assert diagnostic.remedy.startswith(f"did you mean `{meant}`?")
    assert geometry_of(meant).n_layers


def test_two_names_in_a_specification_are_one_model(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "my.circuit"
    path.write_text(
        SPEC.format("gpt2-small") + SPEC.format('"openai-community/gpt2"').replace("circuit c", "circuit d")
    )
    assert {circuit.model for circuit in cd.load(path).circuits} == {"gpt2"}


@pytest.mark.parametrize("written", ["mine", "./mine", "../specs/mine"])
def test_a_relative_path_counts_from_the_specification(tmp_path, monkeypatch, written):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = copied(tmp_path / "specs" / "mine")
    path = tmp_path / "specs" / "my.circuit"
    path.write_text(SPEC.format(f'"{written}"'))
    for place in (tmp_path, folder):
        monkeypatch.chdir(place)
        (circuit,) = cd.load(path).circuits
        assert Path(circuit.model).resolve() == folder
        assert circuit.geometry.n_layers == 4


def test_a_path_that_counts_from_the_working_folder_is_still_found(tmp_path, monkeypatch):
    copied(tmp_path / "mine")
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "my.circuit"
    path.write_text(SPEC.format('"mine"'))
    monkeypatch.chdir(tmp_path)
    assert cd.load(path).circuits[0].model == "mine"


def test_a_folder_called_as_a_model_that_ships_does_not_stand_in_for_it(tmp_path):
    copied(tmp_path / "mini", n_layer=3)
    path = tmp_path / "my.circuit"
    path.write_text(SPEC.format("mini"))
    assert cd.load(path).circuits[0].geometry.n_layers == 4
