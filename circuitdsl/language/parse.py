"""Text -> syntax tree, by the one grammar; syntax errors in words, as many in a run as can be told apart.

After an error the parser goes on at the next line that begins with a word that begins a statement (or with a
closing brace), having dropped the statement that it was in: panic mode, with braces kept in balance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from circuitdsl.language import tree as t
from circuitdsl.language.build import Builder
from circuitdsl.language.diagnostics import Collector, Diagnostic, SpecError, nearest
from circuitdsl.language.source import Source

MOST_ERRORS = 50


def grammar_text() -> str:
    """The grammar, from the installed package or from the checkout that this file lies in."""
    packaged = resources.files("circuitdsl").joinpath("grammar/circuit.lark")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "grammar" / "circuit.lark").read_text(encoding="utf-8")


@cache
def _lark() -> Lark:
    return Lark(grammar_text(), parser="lalr", propagate_positions=True)


def parse(source: Source) -> t.File:
    """The syntax tree of a specification.

    Raises:
        SpecError: with every syntax error that could be told from the others.
    """
    file, errors = parse_tolerantly(source)
    if errors:
        raise SpecError(errors, {source.path: source})
    return file


def parse_tolerantly(source: Source) -> tuple[t.File, tuple[Diagnostic, ...]]:
    """The tree of what could be read, and the syntax errors of the rest."""
    collector = Collector()
    found = _Run(source, collector).parse()
    builder = Builder(source.path, collector)
    file = builder.transform(found) if found is not None else t.File(())
    return file, tuple(collector.found)


class _Run:
    """One parse. ``_recover`` is what it adds to Lark's own interactive parser."""

    def __init__(self, source: Source, collector: Collector):
        self.source = source
        self.collector = collector
        self.parser: InteractiveParser = _lark().parse_interactive(source.text)

    def parse(self) -> Tree[Token] | None:
        while True:
            try:
                self.parser.exhaust_lexer()
                return self.parser.feed_eof()
            except UnexpectedInput as error:
                start = _offset(error, self.source)
                self._report(error, start)
                if start >= len(self.source.text.rstrip()) or len(self.collector.found) >= MOST_ERRORS:
                    return self._finish()
                if not self._recover(start):
                    return self._finish()

    # --- telling what is wrong ---------------------------------------------------------------------

    def _report(self, error: UnexpectedInput, start: int) -> None:
        source, accepts = self.source, self._accepts()
        if start >= len(source.text.rstrip()):
            self._report_end(accepts)
            return
        word = _WORD.match(source.text, start)
        found = word[0] if word else source.text[start]
        span = source.span(start, start + len(found))
        expected = _human(accepts)
        if found.startswith('"') and (len(found) == 1 or not found.endswith('"')):
            remedy = 'end it with " on the same line'
            self.collector.add("C103", "this text is never closed", span, remedy)
        elif word is None or (len(found) == 1 and found not in _SIGNS and not found.isalnum()):
            remedy = _CHARACTER_HINTS.get(found, f"expected {expected}")
            self.collector.add("C104", f"the language has no character `{found}`", span, remedy)
        else:
            remedy = _remedy(found, accepts)
            self.collector.add("C101", f"expected {expected}, found `{_short(found)}`", span, remedy)

    def _report_end(self, accepts: set[str]) -> None:
        opened = [value for value in self.parser.parser_state.value_stack if _is(value, "LBRACE")]
        if opened and "RBRACE" in accepts:
            start = opened[-1].start_pos or 0
            span = self.source.span(start, start + 1)
            self.collector.add("C102", "this block is never closed", span, "end it with `}`")
        else:
            end = len(self.source.text.rstrip())
            span = self.source.span(max(0, end - 1), end)
            expected = _human(accepts)
            self.collector.add("C106", "the file ends in the middle of a statement", span, f"expected {expected}")

    def _accepts(self) -> set[str]:
        return {name.removeprefix("_") for name in self.parser.accepts()}

    # --- going on ----------------------------------------------------------------------------------

    def _finish(self) -> Tree[Token] | None:
        """What stands before the unfinished block: the stack cut back to the top level, and ended there."""
        while len(self.parser.parser_state.state_stack) > 1:
            if "$END" in self.parser.accepts():
                return self.parser.feed_eof()
            self._pop()
        return None

    def _recover(self, start: int) -> bool:
        """Cut the stack back and set the lexer forward to the next statement that can follow; False if none can."""
        closed = depth = 0
        for found in _LANDMARK.finditer(self.source.text, start):
            landmark = found.lastgroup
            if landmark == "top":
                if self._resume(found, None):
                    return True
                continue
            if landmark == "keyword" and depth <= -closed and self._resume(found, closed):
                return True
            if landmark == "close":
                at_line_start = not self.source.text[: found.start()].rpartition("\n")[2].strip()
                if at_line_start and depth <= -closed and self._resume(found, closed):
                    return True
                depth -= 1
                closed = max(closed, -depth)
            if landmark == "open":
                depth += 1
        return False

    def _resume(self, found: re.Match[str], closed: int | None) -> bool:
        """Try to go on at a landmark, ``closed`` blocks further out (None: at the top level)."""
        word = found[0].strip()
        terminals = {"RBRACE"} if word == "}" else {word.upper()}
        stack = self.parser.parser_state.value_stack
        opened = [depth for depth, value in enumerate(stack) if _is(value, "LBRACE")]
        if closed is None:
            floor, keep = 0, 0
        else:
            if closed > len(opened):
                return False
            outer = opened[: len(opened) - closed]
            floor = outer[-1] + 1 if outer else 0  # values up to and with the brace of the block to go on in
            keep = opened[len(opened) - closed] if closed else len(stack)
            floor = min(floor, len(stack))
        saved = self.parser.copy()
        while closed is not None and len(self.parser.parser_state.value_stack) > keep:
            self._pop()
        while True:
            if terminals & self._accepts() and (closed is not None or self._at_top()):
                self._seek(found.start() + len(found[0]) - len(found[0].lstrip()))
                return True
            if len(self.parser.parser_state.value_stack) <= floor:
                self.parser = saved
                return False
            self._pop()

    def _at_top(self) -> bool:
        return not any(_is(value, "LBRACE") for value in self.parser.parser_state.value_stack)

    def _pop(self) -> None:
        self.parser.parser_state.state_stack.pop()
        self.parser.parser_state.value_stack.pop()

    def _seek(self, offset: int) -> None:
        line, column = self.source.place(offset)
        state = self.parser.lexer_thread.state
        assert state is not None  # None only before a text is given
        counter = state.line_ctr
        counter.char_pos, counter.line, counter.column = offset, line, column
        counter.line_start_pos = offset - column + 1


def _is(value: object, terminal: str) -> bool:
    return isinstance(value, Token) and value.type == terminal


def _offset(error: UnexpectedInput, source: Source) -> int:
    if isinstance(error, UnexpectedToken):
        return len(source.text) if error.token.type == "$END" else error.token.start_pos or 0
    assert isinstance(error, UnexpectedCharacters)
    return error.pos_in_stream


# --- words for people ------------------------------------------------------------------------------

_TOP = ("use", "circuit", "compare", "intervention")
_STATEMENTS = (
    *("about", "cite", "model", "task", "method", "role", "edge", "no", "expect"),
    *("metric", "against", "ablate", "prompts", "positions", "floor", "confidence", "seed", "bos", "processing"),
    *("vary", "align", "attend", "patch", "scale", "freeze"),
)
_INNER = (
    *("with", "on", "at", "in", "raises", "lowers", "mlp", "embed", "pos_embed", "logits"),
    *("from", "to", "by", "evenly"),
)
_COMPONENTS = {"HEAD", "MLP", "EMBED", "POS_EMBED"}
_KEYWORDS = {word.upper(): word for word in (*_TOP, *_STATEMENTS, *_INNER)}
_THINGS = {
    "NAME": "a name",
    "MODEL_NAME": "a model's name",
    "STRING": "text in double quotes",
    "NUMBER": "a number",
    "INT": "a layer",
    "OFFSET": "an offset such as `+1`",
    "INPUTS": "an input such as `.q`",
    "OP": "`>=`, `<=`, `>` or `<`",
    "YES_NO": "`yes` or `no`",
    "BASELINE": "`- baseline`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "TILDE": "`~`",
    "$END": "the end of the file",
    "__ANON_0": "`..`",
    "__ANON_1": "`->`",
}
_SIGNS = "{}(),:~.<>%*-+"
_CHARACTER_HINTS = {
    "=": "bounds are `>=`, `<=`, `>`, `<` and `in a .. b`",
    "'": "text stands in double quotes",
    "/": "comments begin with #",
    ";": "statements need no sign at their end",
    "≥": "write `>=`",
    "≤": "write `<=`",
    "→": "write `->`",
    "–": "write `-`",
    "−": "write `-`",
    "…": "write `..`",
    "“": 'write "',
    "”": 'write "',
}
_WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9.]*%?|->|\.\.|[<>]=?|[{}(),:~.%*+-]')
_LANDMARK = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|#[^\n]*'
    rf"|(?P<top>^(?:{'|'.join(_TOP)})\b)"
    rf"|(?P<keyword>^[ \t]*(?:{'|'.join(_STATEMENTS)})\b)"
    r"|(?P<open>\{)|(?P<close>\})",
    re.MULTILINE,
)
_HEAD_LIKE = re.compile(r"(?:L|l|a)(\d+)[._]?(?:H|h)(\d+)|(\d+)[Hh](\d+)")


def _human(accepts: set[str]) -> str:
    """What could stand here, in few words: components and statements are summed up."""
    words: list[str] = []
    rest = set(accepts)
    if {"USE", "CIRCUIT"} <= rest:
        rest -= {word.upper() for word in _TOP}
        words.append(_either(f"`{word}`" for word in _TOP))
    statements = [word for word in _STATEMENTS if word.upper() in rest]
    if len(statements) > 2:
        rest -= {word.upper() for word in statements}
        words.append("a statement (" + ", ".join(statements) + ")")
    if rest >= _COMPONENTS:
        rest -= _COMPONENTS
        words.append("a head such as `9.6`, `mlp`, `embed`")
    words += sorted(_THINGS.get(name) or f"`{_KEYWORDS.get(name, name.lower())}`" for name in rest)
    return _either(words)


def _either(words: Iterable[str]) -> str:
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} or {last}" if most else last


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _remedy(found: str, accepts: set[str]) -> str:
    keywords = [word for name, word in _KEYWORDS.items() if name in accepts]
    if found == "." and "INPUTS" in accepts:
        return "the inputs are `.q`, `.k`, `.v` and `.kv`"
    if found == "," and (accepts & _COMPONENTS):
        return "the members of a group are separated by white space alone"
    head = _HEAD_LIKE.fullmatch(found)
    if head and accepts & _COMPONENTS:
        layer, index = (number for number in head.groups() if number)
        return f"heads are written `layer.head`: `{layer}.{index}`"
    near = nearest(found, keywords) if found.isidentifier() else None
    if near and near != found:
        return f"did you mean `{near}`?"
    if found in _KEYWORDS.values() and accepts & {"NAME", "MODEL_NAME"}:
        return f"`{found}` is a word of the language and cannot be a name"
    if found.isidentifier() and accepts & _COMPONENTS and "NAME" not in accepts:
        return "a role lists components; which roles it talks to is said by `edge`"
    return ""
