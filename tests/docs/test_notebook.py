"""The tutorial notebook runs in a kernel of its own, and its cells draw what they are meant to draw."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, warm: tuple[str, ...]) -> dict[str, Any]:
    """What each cell shows, by the first line of the cell: its outputs by type."""
    folder = tmp_path_factory.mktemp("notebook")
    kernel = folder / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    started = [*warm, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": started, "display_name": "Python", "language": "python"}), encoding="utf-8")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
        patch.setenv("CIRCUITDSL_CACHE", str(folder / "cache"))
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(folder)}}).execute()
    shown: dict[str, Any] = {"folder": folder, "outputs": {}}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown["outputs"][cell.source.splitlines()[-1]] = [output.output_type for output in cell.outputs]
            shown[cell.source.splitlines()[-1]] = {
                kind: text
                for output in cell.outputs
                for kind, text in (output.get("data") or _streamed(output)).items()
            }
    return shown


def _streamed(output: Any) -> dict[str, str]:
    return {output.get("name", "error"): output.get("text", "")}


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


def test_what_is_found_is_drawn(ran):
    for last, said in {
        "guess": "guess",
        "report": "faithfulness",
        "found": "sweep of ioi",
        "repaired": "intervention broken_lookup",
    }.items():
        drawn = ran[last]["text/html"]
        assert said in drawn[drawn.index("<pre") :]
        assert "<svg" in drawn[: drawn.index("<pre")]
    assert "vega" in ran["report.chart()"]["text/html"]


def test_a_cell_that_works_shows_a_bar_and_takes_it_away(ran):
    shown = [kind for kind in ran["outputs"]["report"] if kind != "stream"]  # tqdm's advice to install widgets
    assert shown == ["display_data", "execute_result"]  # the first is the bar, which is empty now
    assert ran["outputs"]["guess"] == ["execute_result"]


def test_what_it_says_is_so(ran):
    assert ran["report"]["text/plain"].startswith("<Report ")
    assert "circuit ioi_mini" in ran["print(drafted.text)"]["stdout"]
    ((wrong,),) = [eval(ran[last]["text/plain"], {}) for last in ran if last.startswith("[outcome.claim.text")]
    assert ": lowers" in wrong
    assert (ran["folder"] / "report.html").read_text("utf-8").startswith("<!doctype html>")
