"""Where a model runs, and which revision of it: downloaded ones, as Hugging Face's cache lays them out."""

from __future__ import annotations

import shutil
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from transformers import LlamaConfig, LlamaForCausalLM

import circuitdsl as cd
from circuitdsl.errors import InputError
from circuitdsl.models import Opening, geometry_of, open_model, opening
from circuitdsl.models.folders import MINI
from circuitdsl.outcome import Report

NAME, TAG = "someone/mini", "v1"
OLD, NEW = "1" * 40, "2" * 40
SPEC = f'circuit c {{\n  model "{NAME}"\n  task  ioi\n  method {{ prompts 6 }}\n  expect logit_diff >= -100\n}}\n'


@pytest.fixture(scope="module")
def shallow(tmp_path_factory) -> Path:
    """mini without its last layers: what the branch main has come to be."""
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("shallow")
    others = shutil.ignore_patterns("*.safetensors", "*.py*", "__pycache__")
    shutil.copytree(MINI, folder, dirs_exist_ok=True, ignore=others)
    model = AutoModelForCausalLM.from_pretrained(MINI)
    layers = model.get_submodule("transformer.h")
    assert isinstance(layers, torch.nn.ModuleList)
    model.get_submodule("transformer").h = layers[:2]
    model.config.n_layer = model.config.num_hidden_layers = 2
    model.config.layer_types = None
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fingerprint_of_mini() -> str:
    return open_model("mini").fingerprint


@pytest.fixture
def cache(tmp_path, shallow, monkeypatch) -> Path:
    """A cache with two revisions of one model: the tag v1, which is mini, and the branch main."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stored = tmp_path / f"models--{NAME.replace('/', '--')}"
    for commit, reference, files in ((OLD, TAG, MINI), (NEW, "main", shallow)):
        (stored / "blobs").mkdir(parents=True, exist_ok=True)
        snapshot = stored / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in filter(Path.is_file, files.iterdir()):
            blob = stored / "blobs" / f"{commit[:4]}{file.name}"
            shutil.copy(file, blob)
            (snapshot / file.name).symlink_to(blob)
        (stored / "refs").mkdir(exist_ok=True)
        (stored / "refs" / reference).write_text(commit)
    return stored


def refused(model, how: Opening) -> InputError:
    with pytest.raises(InputError) as error:
        open_model(model, opening=how)
    return error.value


# --- revisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("revision", "layers"), [(None, 2), ("main", 2), (NEW, 2), (TAG, 4), (OLD, 4)])
def test_a_downloaded_revision_opens_by_branch_tag_or_commit(cache, fingerprint_of_mini, revision, layers):
    model = open_model(NAME, opening=Opening(revision=revision))
    assert model.geometry.n_layers == geometry_of(NAME, revision).n_layers == layers
    assert model.name == (NAME if revision is None else f"{NAME}@{revision}")
    assert (model.fingerprint == fingerprint_of_mini) is (layers == 4)


def only_circuit(report: Report) -> dict[str, Any]:
    """The one circuit of a report, as the JSON has it."""
    written: dict[str, Any] = report.to_dict()
    (circuit,) = written["circuits"]
    return circuit


def test_the_report_and_the_results_are_of_the_revision(cache, tmp_path):
    (tmp_path / "my.circuit").write_text(SPEC)
    found = {}
    for revision in (None, TAG):
        document = cd.load(tmp_path / "my.circuit", revision=revision)
        circuit = only_circuit(cd.check(document, revision=revision, unexplained=False))
        found[circuit["model"]] = circuit["claims"][0]["value"]
    own = only_circuit(cd.check(cd.load(tmp_path / "my.circuit", model="mini"), "mini", unexplained=False))
    assert found[f"{NAME}@{TAG}"] == pytest.approx(own["claims"][0]["value"], rel=1e-5)
    assert found[NAME] != pytest.approx(found[f"{NAME}@{TAG}"], rel=1e-2)


@pytest.mark.parametrize("revision", ["v2", "3" * 40, "../refs/main", "", str(MINI), "a\0b"])
def test_a_revision_that_was_not_downloaded_names_those_that_were(cache, revision):
    error = refused(NAME, Opening(revision=revision))
    assert "was downloaded, but not its revision" in error.message
    assert f"(there are: {OLD}, {NEW}, main, {TAG})" in error.message
    assert "HF_HUB_OFFLINE" in error.message
    assert str(cache.parent) in error.remedy


@pytest.mark.parametrize("name", ["mini", "planted-ioi", "smollm2-135m"])
def test_a_shipped_model_has_no_revisions(name):
    assert refused(name, Opening(revision=TAG)).message == f"{name} comes with circuitdsl and has no revisions"


def test_a_folder_and_an_object_have_no_revisions(tmp_path):
    shutil.copytree(MINI, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    assert "a folder has no revisions" in refused(tmp_path, Opening(revision=TAG)).message
    bridge = open_model("planted-ioi").bridge
    assert "which has no revision v1" in refused(bridge, Opening(revision=TAG)).message


# --- the hub ---------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """Knows no model but one, and of that no revision but main."""

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            self.server.asked.append(self.path)  # pyright: ignore[reportAttributeAccessIssue]
        known = self.path.startswith("/api/models/someone/known")
        self.send_response(404)
        self.send_header("X-Error-Code", "RevisionNotFound" if known else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub of our own, which is asked over the loopback interface."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    server = HTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_hub_is_asked_once_for_what_it_has_not(hub):
    error = refused("someone/unknown", Opening())
    assert "no folder and no downloaded model is called someone/unknown, nor is any on the hub" in error.message
    assert hub.asked == ["/api/models/someone/unknown"]
    assert "has no revision v7 on the hub" in refused("someone/known", Opening(revision="v7")).message
    assert hub.asked[1:] == ["/api/models/someone/known/revision/v7"]


def test_a_hub_that_does_not_answer_is_asked_once(hub, monkeypatch):
    """The loaders themselves would try for half a minute."""
    from huggingface_hub import HfApi

    asked = []
    ask = HfApi.model_info
    monkeypatch.setattr(HfApi, "model_info", lambda *args, **more: (asked.append(args[1]), ask(*args, **more)))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    error = refused("someone/known", Opening(revision=TAG))
    assert "and the hub did not answer" in error.message
    assert "give a folder" in error.remedy and "HF_HOME" in error.remedy
    assert asked == ["someone/known"]


# --- devices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cuda:7", "gpu", "", "CPU"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    with pytest.raises(InputError) as error:
        Opening(device)
    assert error.value.message == f"there is no device {device} here"
    assert "cpu" in error.value.remedy


def test_the_devices_are_torchs(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [Opening(name).device for name in ("cuda", "cuda:1", "mps", "cpu")] == ["cuda", "cuda:1", "mps", "cpu"]
    with pytest.raises(InputError) as error:
        Opening("cuda:2")
    assert error.value.remedy == "the devices here: cpu, cuda, cuda:0, cuda:1, mps"


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    shape: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    LlamaForCausalLM(LlamaConfig(vocab_size=2000, max_position_embeddings=32, **shape)).save_pretrained(folder)
    open_model("mini").tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("planted", [True, False])
def test_a_model_is_opened_on_its_device(planted, llama, monkeypatch):
    """torch's device for shapes alone stands for a GPU."""
    monkeypatch.setattr(opening, "_devices", lambda: ("cpu", "meta"))
    bridge = open_model("planted-ioi" if planted else llama, opening=Opening("meta")).bridge
    assert {tensor.device.type for tensor in (*bridge.parameters(), *bridge.buffers())} == {"meta"}


def test_an_object_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(opening, "_devices", lambda: ("cpu", "meta"))
    bridge = open_model("planted-ioi").bridge
    assert open_model(bridge, opening=Opening("cpu")).bridge is bridge
    assert "an object on cpu, which is not to be moved to meta" in refused(bridge, Opening("meta")).message
