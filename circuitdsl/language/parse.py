"""Text -> syntax tree, by the one grammar; syntax errors in words, as many in a run as can be told apart.

After an error the parser goes on at the next line that begins with a word that begins a statement (or with a
closing brace), having dropped the statement that it was in: panic mode, with braces kept in balance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

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


def tokens(text: str) -> Iterator[Token]:
    """The words and signs of a text that parses, without white space and comments; Lark's errors if it does not."""
    return _lark().parse_interactive(text).iter_parse()


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
    return file, collector.found


class _Run:
    """One parse. ``_recover`` is what it adds to Lark's own interactive parser."""

    def __init__(self, source: Source, collector: Collector):
        self.source = source
        self.collector = collector
        self.end = len(source.text.rstrip())
        self.parser: InteractiveParser = _lark().parse_interactive(source.text)

    def parse(self) -> Tree[Token] | None:
        while True:
            try:
                self.parser.exhaust_lexer()
                return self.parser.feed_eof()
            except UnexpectedInput as error:
                start = _offset(error, self.source)
                if self._close_before(start) or self._correct(start):
                    continue
                self._report(start)
                if start >= self.end or len(self.collector) >= MOST_ERRORS or not self._recover(start):
                    return self._finish()

    # --- guesses: what is missing, or was meant, is put in its place ---------------------------------

    def _close_before(self, start: int) -> bool:
        """Close the innermost block if a statement of the block around it begins here."""
        word = _word(self.source.text, start)
        if word not in _STATEMENTS + _TOP or not self._at_line_start(start) or "RBRACE" not in self._accepts():
            return False
        if word in _TOP and self.source.place(start)[1] != 1:
            return False
        saved = self._stacks()
        brace = self._last(lambda value: _is(value, "LBRACE"))
        self.parser.feed_token(_token("RBRACE", "}", self.source, start, start))
        if word.upper() not in self._accepts():
            self._restore(saved)
            return False
        self._seek(start)
        line = self.source.place(start)[0]
        note = f"`{word}`, on line {line}, cannot stand in it"
        self.collector.add("C102", "this block is never closed", self.source.span(*brace), "end it with `}`", note)
        return True

    def _correct(self, start: int) -> bool:
        """Go on after a misspelt word that begins a statement as if it were spelt rightly."""
        word = _word(self.source.text, start)
        accepts = {name.removeprefix("_"): name for name in self.parser.accepts()}
        meant = nearest(word, [known for known in _STATEMENTS + _TOP if known.upper() in accepts])
        if meant is None or meant == word or not self._at_line_start(start):
            return False
        self._report(start)
        if len(self.collector) >= MOST_ERRORS:
            return False
        end = start + len(word)
        self.parser.feed_token(_token(accepts[meant.upper()], meant, self.source, start, end))
        self._seek(end)
        return True

    # --- telling what is wrong ---------------------------------------------------------------------

    def _report(self, start: int) -> None:
        source, accepts = self.source, self._accepts()
        if start >= self.end:
            self._report_end(accepts)
            return
        found = _found(source.text, start, accepts)
        span = source.span(start, start + len(found))
        expected = _human(accepts)
        if found.startswith('"') and (len(found) == 1 or not found.endswith('"')):
            remedy = 'end it with " on the same line'
            self.collector.add("C103", "this text is never closed", span, remedy)
        elif self._is_cut_short(found, start, accepts):
            self._report_unfinished("this statement is not finished", expected)
        elif not _WORD.match(source.text, start):
            self.collector.add("C104", f"the language has no character {_named(found)}", span, _hint(found, accepts))
        else:
            remedy = _remedy(found, accepts, source.text[max(0, start - 1) : start])
            self.collector.add("C101", f"expected {expected}, found `{_short(found)}`", span, remedy)

    def _is_cut_short(self, found: str, start: int, accepts: set[str]) -> bool:
        """Whether the next statement begins, or the block ends, where something is still missing."""
        begins = found in _STATEMENTS + _TOP or found == "}"
        return begins and self._at_line_start(start) and not accepts & {"RBRACE", "$END"}

    def _report_unfinished(self, message: str, expected: str) -> None:
        _, end = self._last()
        start = max(self.source.text.rfind(sign, 0, end) for sign in " \t\n({") + 1
        span = self.source.span(min(start, max(0, end - 1)), end)
        self.collector.add("C106", message, span, f"expected {expected}")

    def _report_end(self, accepts: set[str]) -> None:
        if "RBRACE" in accepts:
            span = self.source.span(*self._last(lambda value: _is(value, "LBRACE")))
            self.collector.add("C102", "this block is never closed", span, "end it with `}`")
        else:
            self._report_unfinished("the file ends in the middle of a statement", _human(accepts))

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
        if self._at_line_start(start):
            start = self.source.text.rfind("\n", 0, start) + 1
        for found in _LANDMARK.finditer(self.source.text, start):
            landmark = found.lastgroup
            if landmark == "top":
                if self._resume(found, None):
                    return True
                continue
            if landmark == "keyword" and depth <= -closed and self._resume(found, closed):
                return True
            if landmark == "close":
                if self._at_line_start(found.start()) and depth <= -closed and self._resume(found, closed):
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
        saved = self._stacks()
        while closed is not None and len(self.parser.parser_state.value_stack) > keep:
            self._pop()
        while True:
            if terminals & self._accepts() and (closed is not None or self._at_top()):
                self._seek(found.start() + len(found[0]) - len(found[0].lstrip()))
                return True
            if len(self.parser.parser_state.value_stack) <= floor:
                self._restore(saved)
                return False
            self._pop()

    def _at_line_start(self, offset: int) -> bool:
        line, column = self.source.place(offset)
        return not self.source.lines[line - 1][: column - 1].strip()

    def _last(self, wanted: Callable[[object], bool] = lambda value: True) -> tuple[int, int]:
        """Where the last token, or part of the tree, that was read and is wanted begins and ends."""
        for value in reversed(self.parser.parser_state.value_stack):
            place = getattr(value, "meta", value)
            if wanted(value) and getattr(place, "end_pos", None) is not None:
                return place.start_pos, place.end_pos
        return 0, 0

    def _stacks(self) -> tuple[list[Any], list[Any]]:
        state = self.parser.parser_state
        return list(state.state_stack), list(state.value_stack)

    def _restore(self, stacks: tuple[list[Any], list[Any]]) -> None:
        self.parser.parser_state.state_stack[:], self.parser.parser_state.value_stack[:] = stacks

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
    "RANGE": "`..`",
    "ARROW": "`->`",
}
_CHARACTER_HINTS = {
    "=": "bounds are `>=`, `<=`, `>`, `<` and `in a .. b`",
    "'": "text stands in double quotes",
    "/": "comments begin with #, and paths stand in double quotes",
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
_HEAD_LIKE = re.compile(r"(?:[Lla](\d+)[._]?[Hh]|(\d+)[Hh])(\d+)\b")


def _human(accepts: set[str]) -> str:
    """What could stand here, in few words: components and statements are summed up."""
    words: list[str] = []
    rest = set(accepts)
    if {"USE", "CIRCUIT"} <= rest:
        rest -= {word.upper() for word in _TOP}
        words += [f"`{word}`" for word in _TOP]
    statements = [word for word in _STATEMENTS if word.upper() in rest]
    if len(statements) > 2 and "RBRACE" in rest:
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


def _word(text: str, start: int) -> str:
    """The name-like word at an offset, "" if something else stands there."""
    word = _WORD.match(text, start)
    return word[0] if word and word[0].isidentifier() else ""


def _found(text: str, start: int, accepts: set[str]) -> str:
    """The word or sign at an offset; where a head could stand, also a head in another notation."""
    head = _HEAD_LIKE.match(text, start) if accepts & _COMPONENTS else None
    word = head or _WORD.match(text, start)
    return word[0] if word else text[start]


def _token(name: str, text: str, source: Source, start: int, end: int) -> Token:
    """A token as the lexer would have made it of the characters from ``start`` to before ``end``."""
    line, column = source.place(start)
    return Token(name, text, start, line, column, line, column + end - start, end)


# --- remedies --------------------------------------------------------------------------------------


def _named(character: str) -> str:
    """A character as a message shows it: by its number if it cannot be seen."""
    return f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"


def _hint(character: str, accepts: set[str]) -> str:
    """What to do about a character that the language does not use."""
    if character == "=" and "ARROW" in accepts:
        return "write `->`"
    if character.isalnum():
        return "names are made of the letters a to z, digits and `_`; other letters stand in texts and comments"
    if not character.isprintable():
        return "take it out"
    return _CHARACTER_HINTS.get(character, f"expected {_human(accepts)}")


def _remedy(found: str, accepts: set[str], before: str) -> str:
    """What to do about a word or sign in a wrong place; ``before`` is the character before it."""
    return _sign_remedy(found, accepts, before) or _word_remedy(found, accepts)


def _sign_remedy(found: str, accepts: set[str], before: str) -> str:
    components, numeric = bool(accepts & _COMPONENTS), before.isdigit() or "NUMBER" in accepts
    hints = (
        (found == "." and before == ".", "write `..`"),
        (found == "." and "INPUTS" in accepts, "the inputs are `.q`, `.k`, `.v` and `.kv`"),
        (found == "." and "ARROW" in accepts, "a sender has an output, and its inputs do not matter here"),
        (found == "." and before == "s" and "COLON" in accepts, "the logits have a single input, which is not named"),
        (found == "," and components, "the members of a group are separated by white space alone"),
        (found in ".," and numeric and "RANGE" not in accepts, "numbers are written like `0.5`"),
        (found in "+-" and components, "layers and heads count from 0"),
        (found[0].isdigit() and components, "heads are written `layer.head`: `9.6`, or `9.*` for a whole layer"),
        (found == "{" and components, "groups do not stand within groups"),
        (found == "}" and "$END" in accepts, "no block is open here: leave it out"),
        (found == ")" and before == "(", "leave the parentheses out"),
        (found == ":" and "LBRACE" in accepts, "what belongs together stands in braces: `{ ... }`"),
        (found == ":" and "RBRACE" in accepts, "`no edge` says all: that there is no effect"),
    )
    head = _HEAD_LIKE.fullmatch(found) if components else None
    if head:
        layer, index = (number for number in head.groups() if number)
        return f"heads are written `layer.head`: `{layer}.{index}`"
    return next((hint for applies, hint in hints if applies), "")


def _word_remedy(found: str, accepts: set[str]) -> str:
    if not found.isidentifier():
        return ""
    near = nearest(found, [word for name, word in _KEYWORDS.items() if name in accepts])
    if near and near != found:
        return f"did you mean `{near}`?"
    if accepts & _COMPONENTS and found == "logits":
        return "the logits receive, and send nothing"
    if found in _KEYWORDS.values() and accepts & {"NAME", "MODEL_NAME"}:
        return f"`{found}` is a word of the language and cannot be a name"
    if found in _TOP:
        return f"`{found}` stands by itself, not within a block"
    if found in _STATEMENTS and "CIRCUIT" in accepts:
        return f"`{found}` stands within a block: `circuit name {{ ... }}`"
    if accepts & _COMPONENTS and "NAME" not in accepts:
        return "a role lists components; which roles it talks to is said by `edge`"
    if "STRING" in accepts and "NAME" not in accepts:
        return "put it in double quotes"
    return ""
