"""A model whose files are the same is opened only when something is to be run, and no report changes by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import circuitdsl as cd
from circuitdsl.check import open_models
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine import manifest
from circuitdsl.engine.deferred import Deferred
from circuitdsl.engine.manifest import Asked, Manifests
from circuitdsl.errors import InputError
from circuitdsl.models import Model, ModelError, Opening, open_model, state
from circuitdsl.models.folders import MINI
from circuitdsl.outcome import Report

ROOT = Path(__file__).parents[2]
SPEC = """circuit c {{
  model {model}
  task  ioi
  method {{ prompts 6 reference 2 }}
  role movers at END {{ 3.0 3.1 }}
  expect logit_diff >= 0
  expect knockout(movers) <= {bound}
}}
"""
WORDS = ("seconds", "cost")
"""What of a report is about the work and not about the model."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were opened."""
    names: list[str] = []

    def recorded(model: Any, processing: Any, opening: Opening) -> Model:
        names.append(str(model))
        return open_model(model, processing, opening)

    monkeypatch.setattr(open_models, "open_model", recorded)
    return names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of mini that counts as old."""
    monkeypatch.setattr(state, "SETTLED", 0)
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (made / name).write_bytes((MINI / name).read_bytes())
    return made


def document(tmp_path: Path, model: object = "mini", bound: str = "-1%"):
    path = tmp_path / "my.circuit"
    path.write_text(SPEC.format(model=f'"{model}"' if isinstance(model, Path) else model, bound=bound))
    return cd.load(path)


def checked(tmp_path: Path, model: object = "mini", **more: Any) -> Report:
    store = cd.Store.in_folder(tmp_path / "kept")
    return cd.check(document(tmp_path, model), unexplained=False, store=store, **more)


def manifests(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "kept" / "manifests").glob("*"))


def said(report: Report) -> dict[str, object]:
    """A report as JSON, without what is about the work."""
    return {key: value for key, value in json.loads(json.dumps(report.to_dict())).items() if key not in WORDS}


# --- what is not opened ------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"device": "cpu", "dtype": "bfloat16"}])
def test_a_second_check_in_another_process_loads_no_model_library_and_says_the_same(tmp_path: Path, more):
    first = checked(tmp_path, **more)
    assert first.cost.experiments > 0
    script = (
        "import json, pathlib, sys\n"
        "import circuitdsl as cd\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "document, store = cd.load(folder / 'my.circuit'), cd.Store.in_folder(folder / 'kept')\n"
        f"report = cd.check(document, unexplained=False, store=store, **{more!r})\n"
        "loaded = sorted({'torch', 'transformers', 'transformer_lens', 'networkx'} & set(sys.modules))\n"
        "print(json.dumps([loaded, report.to_dict()]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=240)
    loaded, again = json.loads(ended.stdout or f"[{json.dumps(ended.stderr)}, {{}}]")
    assert loaded == []
    assert again["cost"]["experiments"] == again["cost"]["prompt_passes"] == 0
    assert again["cost"]["kept"] == first.cost.experiments
    assert {key: value for key, value in again.items() if key not in WORDS} == said(first)


def test_a_model_is_opened_for_what_the_store_lacks_and_gives_what_a_fresh_one_gives(tmp_path: Path, opened):
    checked(tmp_path)
    more = cd.check(document(tmp_path), prompts=30, unexplained=False, store=cd.Store.in_folder(tmp_path / "kept"))
    assert opened == ["mini", "mini"]
    assert more.cost.experiments > 0
    assert said(more) == said(cd.check(document(tmp_path), prompts=30, unexplained=False))


def test_a_watch_and_a_sweep_leave_a_known_model_closed_too(tmp_path: Path, opened):
    store = cd.Store.in_folder(tmp_path / "kept")
    terms = ("heads at S2 -> 3.0.q at END",)
    first = cd.sweep("ioi", *terms, store=store, prompts=12)
    assert first.cost.experiments > 0
    again = cd.sweep("ioi", *terms, store=store, prompts=12)
    assert again.cost.experiments == 0
    assert again.series == first.series
    watch = cd.watch(path := tmp_path / "my.circuit", unexplained=False, store=store)
    document(tmp_path)
    next(watch)
    opened.clear()
    path.write_text(path.read_text() + "\n")
    assert isinstance(next(watch), Report)
    assert opened == []


def test_nothing_is_kept_without_a_store_or_of_an_object_or_a_planted_model(tmp_path: Path, opened):
    cd.check(document(tmp_path), unexplained=False)
    assert manifests(tmp_path) == []
    given = open_model("mini").bridge
    cd.check(document(tmp_path), model=given, unexplained=False, store=cd.Store.in_folder(tmp_path / "kept"))
    cd.check(document(tmp_path, "planted-ioi"), unexplained=False, store=cd.Store.in_folder(tmp_path / "kept"))
    assert manifests(tmp_path) == []
    assert len(opened) == 3


# --- what is opened again ----------------------------------------------------------------------------


def test_a_touched_file_is_read_again_and_its_model_is_the_same(tmp_path: Path, folder: Path, opened):
    first = checked(tmp_path, folder)
    os.utime(folder / "model.safetensors", ns=(0, 1))
    again = checked(tmp_path, folder)
    assert len(opened) == 2
    assert again.cost.experiments == 0
    assert said(again) == said(first)
    checked(tmp_path, folder)
    assert len(opened) == 2


def test_changed_weights_of_the_same_size_and_time_are_another_model(tmp_path: Path, folder: Path, opened):
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    first, before = checked(tmp_path, folder), weights.stat()
    tensors = load_file(weights)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    tensors[name] = tensors[name] * 1.5
    save_file(tensors, weights, metadata={"format": "pt"})
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert weights.stat().st_size == before.st_size
    again = checked(tmp_path, folder)
    assert len(opened) == 2
    assert again.cost.experiments == first.cost.experiments
    assert again.circuits[0].fingerprint != first.circuits[0].fingerprint


def test_a_file_that_is_added_or_missing_is_seen(tmp_path: Path, folder: Path, opened):
    checked(tmp_path, folder)
    (folder / "added.txt").write_text("anything")
    checked(tmp_path, folder)
    assert len(opened) == 2
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError):
        checked(tmp_path, folder)


def test_another_precision_processing_or_engine_is_opened_by_itself(tmp_path: Path, opened):
    checked(tmp_path)
    for more in ({"dtype": "bfloat16"}, {"engine": "plain"}):
        assert checked(tmp_path, **more).cost.experiments > 0
        assert checked(tmp_path, **more).cost.experiments == 0
    assert len(opened) == 3


def test_files_that_changed_just_now_are_not_relied_on(tmp_path: Path, folder: Path, opened, monkeypatch):
    monkeypatch.setattr(state, "SETTLED", 10**18)
    checked(tmp_path, folder)
    assert manifests(tmp_path) == []


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edited(whole: bytes) -> bytes:
        content = json.loads(whole)
        change(content)
        return json.dumps(content).encode()

    return edited


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda whole: b"",
    "cut short": lambda whole: whole[: len(whole) // 2],
    "no text": lambda whole: b"\xff\xfe" + whole,
    "nested": lambda whole: b"[" * 100_000,
    "a list": lambda whole: b"[1, 2]",
    "an identity of somebody else's": _edited(lambda c: c["content"]["facts"].update(identity="0" * 64)),
    "another version": _edited(lambda c: c["content"]["state"]["versions"].update(torch="1.0")),
    "no tokenizer": _edited(lambda c: c["content"].pop("tokenizer")),
    "no checksum": _edited(lambda c: c.pop("checksum")),
}


def test_a_manifest_that_is_damaged_or_of_another_format_or_version_is_as_good_as_none(
    tmp_path: Path, opened, monkeypatch
):
    first = checked(tmp_path)
    (path,), asked = manifests(tmp_path), Asked.of("mini", "none", Opening(), "fast")
    kept, now, whole = Manifests(path.parent), state.state_of("mini", None), path.read_bytes()
    assert now is not None and kept.find(asked, now) is not None
    for name, damage in DAMAGED.items():
        path.write_bytes(damage(whole))
        assert kept.find(asked, now) is None, name
    again = checked(tmp_path)
    assert len(opened) == 2
    assert said(again) == said(first)
    assert path.read_bytes() == whole
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "FORMAT", "circuitdsl/manifest/0")
        assert kept.find(asked, now) is None
    assert kept.find(asked, replace(now, versions={**now.versions, "torch": "1.0"})) is None
    assert kept.find(asked, replace(now, folder="/elsewhere")) is None
    assert kept.find(replace(asked, device="cuda"), now) is None
    assert kept.find(asked, now) is not None


# --- a manifest that is whole, and wrong --------------------------------------------------------------


def forged(tmp_path: Path, **facts: object) -> None:
    """Let the one manifest say something else, as one would that was written for other files."""
    (path,) = manifests(tmp_path)
    content = json.loads(path.read_bytes())["content"]
    content["facts"].update(facts)
    path.write_text(json.dumps({"checksum": manifest._checksum(content), "content": content}))


def test_what_was_looked_up_for_another_model_is_not_used(tmp_path: Path, opened):
    """The store has readings under the wrong identity: with the first that it lacks the model is opened, and all is
    asked anew."""
    first = checked(tmp_path)
    true = first.circuits[0].fingerprint
    forged(tmp_path, fingerprint="1" * 64, identity="2" * 64)
    again = checked(tmp_path)  # nothing is there under that identity
    assert again.circuits[0].fingerprint == true
    assert again.cost.experiments == 0  # but under the true one
    assert said(again) == said(first)
    assert manifests(tmp_path) == []
    assert len(opened) == 3


def test_a_wrong_manifest_that_nobody_can_go_around_is_an_error_with_a_remedy(tmp_path: Path):
    checked(tmp_path)
    forged(tmp_path, settings=["fast", "torch.float16", "cpu"])
    bench = Workbench(store=cd.Store.in_folder(tmp_path / "kept"))
    (circuit,) = document(tmp_path).circuits
    engine = bench.bench(circuit).session.engine
    assert isinstance(engine, Deferred)
    with pytest.raises(InputError, match="not the one that its results were kept for") as error:
        engine.opened()
    assert "--no-cache" in error.value.remedy


def test_hooks_that_are_left_on_a_model_that_was_opened_late_are_found(tmp_path: Path):
    checked(tmp_path)
    bench = Workbench(store=cd.Store.in_folder(tmp_path / "kept"))
    bench.check(cd.plan(document(tmp_path), unexplained=False))
    (open_bench,) = bench.benches.values()
    engine = open_bench.session.engine
    assert isinstance(engine, Deferred) and not isinstance(engine.model, Model)
    model = engine.opened().model
    assert engine.model is model and isinstance(model, Model)
    model.bridge.add_hook("blocks.0.hook_out", lambda value, hook: value)
    try:
        with pytest.raises(ModelError, match="hooks left"):
            bench.check(cd.plan(document(tmp_path), unexplained=False))
    finally:
        model.bridge.reset_hooks()
