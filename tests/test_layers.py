"""The folders of the package in their order: no import runs back up, none is circular, and light ones load no torch.

Every import statement counts, those inside functions and those for the type checker too. An import of
``circuitdsl.models.opening`` is one of that module and not of the packages around it: their ``__init__`` gathers names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Literal

import networkx as nx

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("errors", "arguments", "version", "home", "plugins", "library", "visible", "allocator", "display"),
    ("components",),
    ("actions",),
    ("language",),
    ("tasks",),
    ("models",),
    ("measures",),
    ("engine",),
    ("plan",),
    ("judge",),
    ("compare",),
    ("outcome",),
    ("check",),
    ("exchange",),
    ("report",),
    ("draft",),
    ("api",),
    ("editor",),
    ("cli", "pytest_plugin", "__init__", "__main__"),
)
"""The layers from the first to the last, each a few files or folders of the package (docs/architecture.md)."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

LIGHT = (
    *("errors", "arguments", "version", "home", "plugins", "library", "visible", "allocator", "display"),
    *("components.*", "actions.*", "language.*", "tasks.*", "measures.*"),
    *(
        "engine.base",
        "engine.references",
        "engine.steps",
        "engine.cluster.*",
        "engine.*.__init__",
        "engine.*.cost",
        "engine.*.peak",
        "plan.*",
        "judge.*",
        "compare.*",
        "outcome.*",
        "report.*",
    ),
    *(
        "exchange.__init__",
        "exchange.f*",
        "exchange.graph",
        "exchange.mib",
        "exchange.names",
        "exchange.s*",
        "exchange.tools.*",
    ),
    *("api.*", "cli.*", "pytest_plugin", "__init__", "__main__"),
)
"""What is imported without torch, for `lint`, `fmt`, `plan` and `--help` must not wait for it."""

HEAVY = ("torch", "transformers", "transformer_lens")


@dataclass(frozen=True)
class Import:
    """An import statement. ``imported`` is a module, whole (``circuitdsl`` left away) if it is one of the package.

    ``when``: at the import of its file, when a function is called, or never, for it is for the type checker only.
    """

    importer: str
    imported: str
    line: int
    when: Literal["at once", "later", "never"]

    def __str__(self) -> str:
        return f"circuitdsl.{self.importer}, line {self.line}, imports {self.imported}"


# --- reading the package ------------------------------------------------------------------------------


@cache
def modules() -> dict[str, Path]:
    """The files of the package by name: ``models.opening``, ``models.__init__``, ``__init__``."""
    package = ROOT / "circuitdsl"
    return {".".join(path.relative_to(package).with_suffix("").parts): path for path in sorted(package.rglob("*.py"))}


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement of the package, once for each module that it names."""
    return tuple(found for name, path in modules().items() for found in read(name, path.read_text(encoding="utf-8")))


def read(name: str, text: str) -> Iterator[Import]:
    """The imports of the source of a module."""
    yield from _within(name, ast.parse(text), "at once")


def _within(name: str, node: ast.AST, when: Literal["at once", "later", "never"]) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for imported in dict.fromkeys(_named(name, child)):
                yield Import(name, imported, child.lineno, when)
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for each in child.body:
                yield from _within(name, ast.Module([each], []), "never")
            for each in child.orelse:
                yield from _within(name, ast.Module([each], []), when)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _within(name, child, "later" if when == "at once" else when)
        else:
            yield from _within(name, child, when)


def _named(importer: str, statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """What a statement imports: modules of the package as in ``modules``, others by their first name."""
    if isinstance(statement, ast.Import):
        whole = [(alias.name, "") for alias in statement.names]
    else:
        assert statement.level == 0, f"{importer}, line {statement.lineno}: write the whole name of the module"
        assert statement.module is not None
        whole = [(statement.module, alias.name) for alias in statement.names]
    for module, name in whole:
        top, *inside = module.split(".")
        yield _own([*inside, name] if name else inside) if top == "circuitdsl" else top


def _own(parts: list[str]) -> str:
    """The module of the package that ``parts`` name, or a name in one."""
    for known in (".".join(parts), ".".join([*parts, "__init__"]), ".".join(parts[:-1])):
        if known in modules():
            return known
    return ".".join([*parts[:-1], "__init__"])


def own_imports() -> Iterator[Import]:
    return (each for each in imports() if each.imported in modules())


def rank(module: str) -> int:
    """Which layer a module is of."""
    return RANK[module.split(".")[0]]


# --- the rules ----------------------------------------------------------------------------------------


def test_every_file_has_a_layer():
    assert {module.split(".")[0] for module in modules()} == set(RANK)


def test_no_import_runs_back_up():
    wrong = [each for each in own_imports() if rank(each.imported) > rank(each.importer)]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_import_is_circular():
    graph = nx.DiGraph((each.importer, each.imported) for each in own_imports())
    groups = {frozenset(group) for group in nx.strongly_connected_components(graph) if len(group) > 1}
    assert not groups
    assert not list(nx.selfloop_edges(graph))


@cache
def loading() -> nx.DiGraph[str]:
    """From each module to those that its import runs: what it imports at once, and the packages around it."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((each.importer, each.imported) for each in own_imports() if each.when == "at once")
    for module in modules():
        *around, _ = module.split(".")
        packages = (".".join([*around[:depth], "__init__"]) for depth in range(len(around) + 1))
        graph.add_edges_from((module, package) for package in packages if package != module)
    return graph


def why_heavy(module: str) -> str:
    """By which way a module loads a model library; "" if it does not."""
    ways = nx.single_source_shortest_path(loading(), module)
    reached = sorted(heavy() & set(ways), key=lambda found: (len(ways[found]), found))
    return " -> ".join(ways[reached[0]]) if reached else ""


@cache
def heavy() -> set[str]:
    """The modules that import a model library at once."""
    return {each.importer for each in imports() if each.imported in HEAVY and each.when == "at once"}


def is_light(module: str) -> bool:
    return any(fnmatch(module, pattern) for pattern in LIGHT)


def test_what_is_light_loads_no_model_library():
    ways = [way for module in modules() if is_light(module) and (way := why_heavy(module))]
    assert not ways, "\n".join(ways)


# --- that the rules would notice ----------------------------------------------------------------------

WRITTEN = """
from __future__ import annotations
import json
from typing import TYPE_CHECKING
import circuitdsl.tasks.ioi
from circuitdsl import api
from circuitdsl.models import geometry, open_model

if TYPE_CHECKING:
    from torch import Tensor
else:
    import numpy

class Thing:
    import networkx
    def method(self):
        from circuitdsl.cli import main
        import torch.nn
"""


def test_every_kind_of_import_statement_is_read():
    found = [(each.imported, each.when) for each in read("models.made_up", WRITTEN)]
    assert found == [
        ("__future__", "at once"),
        ("json", "at once"),
        ("typing", "at once"),
        ("tasks.ioi", "at once"),
        ("api.__init__", "at once"),
        ("models.geometry", "at once"),
        ("models.__init__", "at once"),
        ("torch", "never"),
        ("numpy", "at once"),
        ("networkx", "at once"),
        (_own(["cli", "main"]), "later"),
        ("torch", "later"),
    ]


def test_the_engines_are_known_to_be_heavy():
    assert {"engine.plain.engine", "engine.fast.engine"} <= heavy()
    assert why_heavy("engine.plain.engine") and not is_light("engine.plain.engine")
