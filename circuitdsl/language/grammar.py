"""The grammar: the text of grammar/circuit.lark, what installed packages add to it, and the parser made of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from lark import Lark
from lark.exceptions import LarkError
from lark.grammar import NonTerminal
from lark.lexer import PatternRE, TerminalDef

from circuitdsl.actions import Action, actions
from circuitdsl.components import Component, kinds
from circuitdsl.errors import InputError
from circuitdsl.language.kept_parser import kept_parser


@dataclass(frozen=True)
class Grammar:
    """The parser, and what it takes for an action and for a component: words and names of terminals, ours first."""

    lark: Lark
    actions: tuple[str, ...]
    components: tuple[str, ...]


def grammar_text() -> str:
    """Our grammar, from the installed package or from the checkout that this file lies in."""
    packaged = resources.files("circuitdsl").joinpath("grammar/circuit.lark")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "grammar" / "circuit.lark").read_text(encoding="utf-8")


@cache
def grammar() -> Grammar:
    """The grammar with everything that is installed.

    Raises:
        InputError: if what a package adds does not fit.
    """
    lark = _parser()
    return Grammar(lark, _alternatives(lark, "action", actions()), _alternatives(lark, "component", kinds()))


@cache
def _name() -> re.Pattern[str]:
    return re.compile(grammar().lark.get_terminal("NAME").pattern.to_regexp())


def is_name(text: str) -> bool:
    """Whether a specification can write this as a name: it is no word of the language.

    >>> is_name("S2"), is_name("edge"), is_name("the subject")
    (True, False, False)
    """
    return _name().fullmatch(text) is not None


def _parser() -> Lark:
    added = {name: each for name, each in {**kinds(), **actions()}.items() if each.grammar}
    text = "\n".join([grammar_text(), *(each.grammar for each in added.values())])
    words = [name for name in added if name.islower()]
    unless = rf"(?!(?:{'|'.join(words)})\b)" if words else ""
    try:
        return kept_parser(text, _OPTIONS, unless, _reserving(unless))
    except LarkError as error:
        if not added:
            raise
        names = " or ".join(f"`{name}`" for name in added)
        message = f"the grammar that installed packages add to the language does not fit into it: {error}"
        raise InputError(message, f"uninstall the package that adds {names}") from error


_OPTIONS = {"parser": "lalr", "propagate_positions": True}


def _reserving(unless: str) -> Callable[[TerminalDef], None]:
    """Keeps what begins so from being a name, as the words of our grammar are."""

    def reserve(terminal: TerminalDef) -> None:
        if unless and terminal.name == "NAME":
            old = terminal.pattern
            terminal.pattern = PatternRE(unless + old.value, old.flags)

    return reserve


def _alternatives(lark: Lark, rule: str, known: Mapping[str, type[Action] | type[Component]]) -> tuple[str, ...]:
    """What a rule of the grammar can be, those that packages add last. It has to be all that is registered."""
    found = (parts.expansion[0].name for parts in lark.rules if parts.origin == NonTerminal(rule))
    names = [str(name) for name in found]
    wrong = sorted(known.keys() ^ set(names))
    if wrong:
        message = f"the grammar and the registry differ in the {rule} `{wrong[0]}`"
        raise InputError(message, "uninstall the package that adds it")
    return tuple(sorted(names, key=lambda name: bool(known[name].grammar)))
