"""What the engines may import: neither one has masks, writes or arithmetic of the other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import circuitdsl.engine

ENGINE = Path(circuitdsl.engine.__file__).parent
SHARED = {
    "base",
    "batch",
    "guard",
    "hook_names",
    "mean_store",
    "named",
    "readings",
    "references",
    "slices",
    "sources",
    "steps",
    "store",
}
"""Modules beside the engines that both may import: none of them writes to a run or computes one."""

HANDED_OVER = {"circuitdsl.engine.plain.engine": {"PlainEngine"}, "circuitdsl.engine.plain.cost": {"PlainCost"}}
"""What the fast engine has of the plain one, which runs what it does not cover itself, at its own cost."""


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """The modules of this package that a file imports, and the names that it takes from each; "" for the module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{file} imports relatively"
            for name in node.names:
                inside = (ENGINE.parents[1] / Path(*node.module.split(".")) / name.name).with_suffix("")
                module = inside.with_suffix(".py").exists() or inside.is_dir()
                yield (f"{node.module}.{name.name}", "") if module else (node.module, name.name)
        elif isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)


def of_engines(folder: str) -> list[tuple[str, str, str]]:
    """What the files of an engine's folder import of the package's engines: file, module, name."""
    files = sorted((ENGINE / folder).glob("*.py"))
    assert len(files) > 3
    found = [(file.name, *pair) for file in files for pair in imports(file)]
    return [each for each in found if each[1].startswith("circuitdsl.engine")]


def test_the_plain_engine_imports_nothing_of_the_fast_one():
    allowed = {f"circuitdsl.engine.{name}" for name in SHARED}
    for file, module, _ in of_engines("plain"):
        assert module in allowed or module.startswith("circuitdsl.engine.plain"), f"{file} imports {module}"


def test_the_fast_engine_imports_of_the_plain_one_what_it_hands_experiments_over_to():
    allowed = {f"circuitdsl.engine.{name}" for name in SHARED}
    for file, module, name in of_engines("fast"):
        handed_over = name in HANDED_OVER.get(module, ())
        fast = module.startswith("circuitdsl.engine.fast")
        assert module in allowed or fast or handed_over, f"{file} imports {name or 'all'} from {module}"


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_they_share_imports_neither(name):
    for module, _ in imports(ENGINE / f"{name}.py"):
        assert not module.startswith(("circuitdsl.engine.plain", "circuitdsl.engine.fast"))


def test_contract_names_and_costs_need_no_torch():
    modules = ("base", "hook_names", "named", "references", "plain", "plain.cost", "fast", "fast.cost", "fast.coverage")
    names = ", ".join(f"circuitdsl.engine.{name}" for name in modules)
    code = f"import sys, {names}; assert len(circuitdsl.engine.base.engines()) >= 2; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
