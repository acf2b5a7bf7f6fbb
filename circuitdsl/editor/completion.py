"""What can be written where the cursor stands: words of the language, names of the page, measurements, their options.

What was written before the cursor is read as words, not parsed: a text that somebody is writing is seldom right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from circuitdsl.editor.page import Page
from circuitdsl.language.environment import BOS, MeasureInfo, Place, TaskInfo
from circuitdsl.language.methods import CHOICES, SETTINGS
from circuitdsl.language.wording import TOP, statements
from circuitdsl.models import model_names
from circuitdsl.tasks import task_names


@dataclass(frozen=True)
class Proposal:
    """A word or several that can be written, what kind of thing it is, and a line about it."""

    label: str
    kind: str
    about: str = ""


_BLOCKS = ("circuit", "compare", "intervention", "method", "role", "for")
_STATEMENTS = {
    "circuit": (
        *("about", "cite", "model", "task", "dictionary", "method", "role"),
        *("edge", "no edge", "expect", "control task", "for"),
    ),
    "compare": ("about", "cite", "align", "expect"),
    "role": ("cite", "expect"),
    "for": ("role", "edge", "no edge", "expect"),
}
_GOES_ON = ("->", ":", ",", "(", ">", "<", ">=", "<=", "at", "expect", "task", "model")
"""After these a statement is surely not finished where its line ends."""

_COMPONENTS = ("mlp", "neuron", "resid", "embed", "pos_embed")
_SETTINGS = tuple(setting.name for setting in SETTINGS)
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|#[^\n]*|->|>=|<=|\.\.|[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9.]*|\n|[^\s]')
_PARTIAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


@dataclass
class _Before:
    """What stands before the cursor: the blocks that are open, each by its first words, and the words of the statement
    that has been begun."""

    blocks: list[list[str]] = field(default_factory=list[list[str]])
    statement: list[str] = field(default_factory=list[str])
    groups: int = 0  # braces of groups that are open
    quoted: bool = False  # in a text or a comment

    @classmethod
    def of(cls, text: str) -> _Before:
        """Of a text up to the cursor, less the word that is being written."""
        partial = _PARTIAL.search(text)
        tokens = [found[0] for found in _TOKEN.finditer(text[: partial.start()] if partial else text)]
        before = cls()
        for token in tokens:
            before._take(token)
        last = tokens[-1] if tokens else ""
        before.quoted = last.startswith("#") or (last.startswith('"') and (len(last) == 1 or not last.endswith('"')))
        if last == "\n" and not before.groups and before.statement[-1:] and before.statement[-1] not in _GOES_ON:
            before.statement = []
        return before

    def _take(self, token: str) -> None:
        match token:
            case "{" if not self.groups and self.statement and self.statement[0] in _BLOCKS:
                self.blocks.append(self.statement)
                self.statement = []
            case "{":
                self.groups += 1
            case "}" if self.groups:
                self.groups -= 1
            case "}":
                self.statement = []
                del self.blocks[-1:]
            case _ if token == "\n" or token.startswith("#"):
                pass
            case _ if self._begins(token):
                self.statement, self.groups = [token], 0
            case _:
                self.statement.append(token)

    def _begins(self, token: str) -> bool:
        """Whether a statement begins with a word: words of the language are no names."""
        previous = self.statement[-1] if self.statement else ""
        if self.inner == "method":
            return token in _SETTINGS and previous not in ("vary", "(")
        if token == "against":  # of an edge or an effect
            return False
        return token in (*TOP, *statements()) and (previous, token) not in (("control", "task"), ("no", "edge"))

    @property
    def inner(self) -> str:
        """The word of the innermost block, "" outside of all."""
        return self.blocks[-1][0] if self.blocks else ""

    @property
    def circuits(self) -> tuple[str, ...]:
        """The circuits that the outermost block is about."""
        words = self.blocks[0] if self.blocks else []
        match words:
            case ["circuit", name, *_]:
                return (name,)
            case ["compare", left, "with", right, *_]:
                return (left, right)
            case ["intervention", _, "on", name, *_]:
                return (name,)
            case _:
                return ()


def complete(page: Page, line: int, column: int) -> tuple[Proposal, ...]:
    """What can be written at a place, whatever of it has been: who asks picks what begins so."""
    before = _Before.of(page.source.text[: page.source.offset(line, column)])
    if before.quoted:
        return ()
    return tuple(dict.fromkeys(_Proposing(page, before).all()))


@dataclass(frozen=True)
class _Proposing:
    page: Page
    before: _Before

    def all(self) -> Iterator[Proposal]:
        words = self.before.statement
        if self.before.inner == "method":
            yield from self.settings(words)
        elif not words:
            yield from self.begun()
        elif self.before.inner == "role" and words[0] not in ("expect", "cite"):
            yield from self.positions() if words[-1] == "at" else self.components()
        else:
            yield from self.statement(words)

    def begun(self) -> Iterator[Proposal]:
        """What a statement can begin with."""
        inner = self.before.inner
        if not inner:
            yield from _words(("circuit", "compare", "intervention", "use"))
        elif inner == "intervention":
            yield from _words(("about", "cite", "expect", *_actions()))
        else:
            yield from _words(_STATEMENTS.get(inner, ()))
        if inner == "role":
            yield from self.components()

    def statement(self, words: list[str]) -> Iterator[Proposal]:
        match words:
            case ["task"] | ["control", "task"]:
                yield from (Proposal(name, "task") for name in task_names())
            case ["model"]:
                yield from (Proposal(name, "model", about) for name, about in model_names())
            case ["control"]:
                yield Proposal("task", "keyword")
            case ["no"]:
                yield Proposal("edge", "keyword")
            case ["compare"] | ["compare", _, "with"] | ["intervention", _, "on"]:
                yield from (Proposal(name, "circuit") for name in self.page.circuit_names())
            case ["compare", _]:
                yield Proposal("with", "keyword")
            case ["intervention", _]:
                yield Proposal("on", "keyword")
            case [*_, "at"]:
                yield from self.positions()
            case ["expect", *rest]:
                yield from self.expect(rest)
            case ["edge", *rest] | ["no", "edge", *rest]:
                yield from self.edge(rest)
            case ["align", *_]:
                yield from self.roles()
            case ["patch", *_, "from"]:
                yield from self.counterfactuals()
            case [action, *_, ("from" | "to" | "with" | ",")] if action in _actions():
                yield from self.positions()
            case [action, *_] if action in _actions():
                yield from self.roles()
                yield from _words(("at", "from", "to", "with", "by", "evenly"))
            case _:
                yield from _words(("at",) if words[0] == "role" else ())

    # --- in statements -----------------------------------------------------------------------------

    def settings(self, words: list[str]) -> Iterator[Proposal]:
        """Settings of a method, and their values."""
        match words:
            case ["vary"]:
                yield from (Proposal(name, "setting") for name in (*CHOICES, "against") if name != "bos")
            case ["vary", name, *_] | [name]:
                yield from self.counterfactuals() if name == "against" else ()
                yield from (Proposal(value, "value") for value in CHOICES.get(name, ()))
                yield from _words(("all",) if name == "prompts" else ())
            case _:
                yield from (Proposal(setting.name, "setting", setting.about) for setting in SETTINGS)

    def expect(self, words: list[str]) -> Iterator[Proposal]:
        place: Place = _place(self.before.blocks[0][0] if self.before.blocks else "")
        measures = self.page.environment.measures
        if not words:
            yield from (_measure(info) for info in measures.values() if place in info.places)
            return
        info = measures.get(words[0])
        if words.count("(") > words.count(")"):
            yield from (Proposal(option, "option", about) for option, about in (info.options if info else ()))
            yield from self.counterfactuals() if words[-1] == "against" else ()
            if place == "compare":
                yield from (Proposal(name, "circuit") for name in self.before.circuits)
                yield from _words(("heads", "nodes", "roles", "edges"))
            yield from self.roles()
            yield from self.positions()
            yield from _words(("logits", "answer", *_COMPONENTS))
        elif words[-1] in (">", "<", ">=", "<="):
            yield from (Proposal(name, "control") for name in (info.controls_in(place) if info else ()))
        else:
            yield from _words(("in", "outside", "raises", "lowers"))

    def edge(self, words: list[str]) -> Iterator[Proposal]:
        if ":" in words:
            yield from _words(("raises", "lowers", "strict", "in", "outside"))
            return
        if words and words[-1] == "against":
            yield from self.counterfactuals()
            return
        yield from self.roles()
        yield from self.components()
        yield from _words(("at", *(("logits", "against") if "->" in words else ())))

    # --- names -------------------------------------------------------------------------------------

    def roles(self) -> Iterator[Proposal]:
        return (
            Proposal(name, "role", circuit) for circuit in self.before.circuits for name in self.page.roles(circuit)
        )

    def components(self) -> Iterable[Proposal]:
        return _words(_COMPONENTS)

    def _tasks(self) -> Iterator[TaskInfo]:
        return (task for circuit in self.before.circuits if (task := self.page.task(circuit)))

    def positions(self) -> Iterator[Proposal]:
        for task in self._tasks():
            yield from (Proposal(position.name, "position", position.about) for position in task.positions)
        yield Proposal("END", "position", "the last token, where the answer is predicted")
        yield Proposal("all", "position", "every position")
        if any(found.method.bos for name in self.before.circuits if (found := self.page.circuit(name))):
            yield Proposal(BOS, "position", "the first token")

    def counterfactuals(self) -> Iterator[Proposal]:
        return (
            Proposal(name, "counterfactual", about) for task in self._tasks() for name, about in task.counterfactuals
        )


def _words(words: Iterable[str]) -> Iterator[Proposal]:
    return (Proposal(word, "keyword") for word in words)


def _actions() -> tuple[str, ...]:
    from circuitdsl.language.grammar import grammar

    return grammar().actions


def _place(block: str) -> Place:
    return "compare" if block == "compare" else "intervention" if block == "intervention" else "circuit"


def _measure(info: MeasureInfo) -> Proposal:
    return Proposal(info.name, "measure", info.about)
