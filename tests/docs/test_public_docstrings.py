"""What docs/api.md lists says what it is, what it raises and what its members are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
RAISES_NOTHING = {"circuitdsl.fix_text", "circuitdsl.exchange.unsaid"}


def _named() -> Iterator[tuple[str, object]]:
    """What the page lists, by its whole name."""
    module = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"\.\. auto(?:class|function|exception):: (\S+)", line):
            whole = found[1] if found[1].startswith("circuitdsl.") else f"{module}.{found[1]}"
            package, _, name = whole.rpartition(".")
            yield whole, getattr(import_module(package), name)


def _undocumented(kind: type) -> Iterator[str]:
    """Members of a class that neither have a docstring nor stand in that of the class."""
    said = inspect.getdoc(kind) or ""
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if (
            not name.startswith("_")
            and inspect.isfunction(function)
            and not function.__doc__
            and f"``{name}``" not in said
        ):
            yield name


def test_functions_say_what_they_raise():
    functions = {name: each for name, each in _named() if inspect.isfunction(each)}
    assert len(functions) > 25
    silent = [name for name, each in functions.items() if not re.search(r"\b[Rr]aises?\b", each.__doc__ or "")]
    assert set(silent) <= RAISES_NOTHING


def test_classes_and_their_members_say_what_they_are():
    classes = {name: each for name, each in _named() if isinstance(each, type)}
    assert len(classes) > 25
    assert [name for name, each in classes.items() if (each.__doc__ or "(").startswith(f"{each.__name__}(")] == []
    assert [f"{name}.{member}" for name, each in classes.items() for member in _undocumented(each)] == []
