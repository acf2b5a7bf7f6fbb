"""The language is read without any of the packages that run models or draw terminals."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import circuitdsl.language

FOLDER = Path(circuitdsl.language.__file__).parent
HEAVY = ("torch", "transformers", "transformer_lens", "typer", "rich", "numpy", "scipy", "safetensors")
MODULES = [f"circuitdsl.language.{path.stem}" for path in sorted(FOLDER.glob("*.py"))]


def test_reading_and_resolving_loads_nothing_heavy():
    """In a process of its own; the package above the language is part of it."""
    script = (
        f"import sys; from importlib import import_module; [import_module(name) for name in {MODULES}]; "
        "from circuitdsl import api; from circuitdsl.language.resolve import resolve_text; "
        "text = 'circuit a { model gpt2 task ioi role mover at END { 9.6 } }'; "
        "assert resolve_text(text, 'a.circuit', api.environment()).circuits; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "lark" in loaded
    assert loaded & {"torch", "transformers", "transformer_lens", "typer"} == set()


def test_the_language_imports_nothing_that_stands_after_it():
    before = ("errors", "home", "plugins", "display", "components", "actions")
    allowed = tuple(f"circuitdsl.{name}" for name in ("language", *before))
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] not in HEAVY, (path.name, name)
                assert not name.startswith("circuitdsl") or name.startswith(allowed), (path.name, name)
