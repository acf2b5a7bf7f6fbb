"""The examples in docstrings, and those in Python of the README and some pages, run and give what they say."""

from __future__ import annotations

import doctest
import re
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from circuitdsl.models import Model, open_model
from circuitdsl.models.folders import MINI

ROOT = Path(__file__).parents[2]
PROMPT = ">>> "


def _modules() -> list[str]:
    """The modules of the package that have examples."""
    files = sorted((ROOT / "circuitdsl").rglob("*.py"))
    return [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files
        if PROMPT in file.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("module", _modules())
def test_examples_of_docstrings(module: str):
    results = doctest.testmod(import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


SPEC = "circuit my { model mini task ioi method { prompts 4 } expect accuracy >= 50% }\n"


@pytest.fixture(scope="module")
def mini() -> Model:
    return open_model("mini")


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/api.md", "docs/howto/model.md"])
def test_python_of_pages(
    page: str, mini: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The files and the models that a page names are there under its names, the files shorter than the page's."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MINI, "my_model", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for block in blocks:
        for name in re.findall(r'"(\w+\.circuit)"', block):
            Path(name).write_text(SPEC, encoding="utf-8")
        names: dict[str, object] = {"my_model": mini.bridge}
        exec(block, names)
        assert "report" in names
    if "print(" in "".join(blocks):
        assert "expect accuracy >= 50%" in capsys.readouterr().out
