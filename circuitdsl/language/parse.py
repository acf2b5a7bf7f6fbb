"""Text -> syntax tree, by the one grammar; syntax errors in words, as many in a run as can be told apart.

After an error the parser goes on at the next line that begins with a word that begins a statement (or with a
closing brace), having dropped the statement that it was in: panic mode, with braces kept in balance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from lark import Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from circuitdsl.language import tree as t
from circuitdsl.language.build import Builder
from circuitdsl.language.diagnostics import Collector, Diagnostic, SpecError, nearest
from circuitdsl.language.grammar import grammar
from circuitdsl.language.source import Source
from circuitdsl.language.typed_lark import parse_interactive, unexpected_at, unexpected_token
from circuitdsl.language.wording import (
    TOP,
    WORD,
    found_at,
    hint,
    human,
    named,
    other_notation,
    remedy_of,
    shortened,
    statement_pattern,
    statements,
    word_at,
)

MOST_ERRORS = 50


def tokens(text: str) -> Iterator[Token]:
    """The words and signs of a text that parses, without white space and comments; Lark's errors if it does not."""
    return parse_interactive(grammar().lark, text).iter_parse()


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
        self.parser = parse_interactive(grammar().lark, source.text)

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
        word = word_at(self.source.text, start)
        if not self._begins_statement(start) or not self._at_line_start(start) or "RBRACE" not in self._accepts():
            return False
        if word in TOP and self.source.place(start)[1] != 1:
            return False
        closing = _token("RBRACE", "}", self.source, start, start)
        if word.upper() not in self._accepts_after(closing):
            return False
        brace = self._last(lambda value: _is(value, "LBRACE"))
        self.parser.feed_token(closing)
        self._seek(start)
        line = self.source.place(start)[0]
        note = f"`{word}`, on line {line}, cannot stand in it"
        self.collector.add("C102", "this block is never closed", self.source.span(*brace), "end it with `}`", note)
        return True

    def _correct(self, start: int) -> bool:
        """Go on after a misspelt word that begins a statement as if it were spelt rightly."""
        word = word_at(self.source.text, start)
        accepts = {name.removeprefix("_"): name for name in self.parser.accepts()}
        meant = nearest(word, [known for known in (*statements(), *TOP) if known.upper() in accepts])
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
        found = found_at(source.text, start)
        span = source.span(start, start + len(found))
        expected = human(accepts)
        other = other_notation(source.text, start, accepts)
        if found.startswith('"') and (len(found) == 1 or not found.endswith('"')):
            remedy = 'end it with " on the same line'
            self.collector.add("C103", "this text is never closed", span, remedy)
        elif self._is_cut_short(found, start, accepts):
            self._report_unfinished("this statement is not finished", expected)
        elif other:
            found = source.text[other.start : other.end]
            expected = expected if other.start == start else "a component"
            span = source.span(other.start, other.end)
            self.collector.add("C101", f"expected {expected}, found `{shortened(found)}`", span, other.remedy)
        elif not WORD.match(source.text, start):
            self.collector.add("C104", f"the language has no character {named(found)}", span, hint(found, accepts))
        else:
            remedy = remedy_of(source.text, start, found, accepts)
            self.collector.add("C101", f"expected {expected}, found `{shortened(found)}`", span, remedy)

    def _is_cut_short(self, found: str, start: int, accepts: set[str]) -> bool:
        """Whether the next statement begins, or the block ends, where something is still missing."""
        begins = self._begins_statement(start) or found == "}"
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
            self._report_unfinished("the file ends in the middle of a statement", human(accepts))

    def _accepts(self) -> set[str]:
        return {name.removeprefix("_") for name in self.parser.accepts()}

    def _accepts_after(self, token: Token) -> set[str]:
        """What could stand after a token that could stand here. Builds no tree, since building changes its parts."""
        trial = self.parser.copy(deepcopy_values=False)
        trial.parser_state.parse_conf = copy(trial.parser_state.parse_conf)
        trial.parser_state.parse_conf.callbacks = {}
        trial.feed_token(token)
        return {name.removeprefix("_") for name in trial.accepts()}

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
        for found in _landmarks().finditer(self.source.text, start):
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

    def _begins_statement(self, offset: int) -> bool:
        word = rf"(?:{'|'.join(TOP)})\b|{statement_pattern()}"
        return re.compile(word).match(self.source.text, offset) is not None

    def _at_line_start(self, offset: int) -> bool:
        line, column = self.source.place(offset)
        return not self.source.lines[line - 1][: column - 1].strip()

    def _last(self, wanted: Callable[[object], bool] = lambda value: True) -> tuple[int, int]:
        """Where the last token, or part of the tree, that was read and is wanted begins and ends."""
        for value in reversed(self.parser.parser_state.value_stack):
            place: Any = getattr(value, "meta", value)
            if wanted(value) and getattr(place, "end_pos", None) is not None:
                return place.start_pos, place.end_pos
        return 0, 0

    def _stacks(self) -> tuple[list[object], list[object]]:
        state = self.parser.parser_state
        return list(state.state_stack), list(state.value_stack)

    def _restore(self, stacks: tuple[list[object], list[object]]) -> None:
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
        token = unexpected_token(error)
        return len(source.text) if token.type == "$END" else token.start_pos or 0
    return unexpected_at(error)


def _landmarks() -> re.Pattern[str]:
    """Where one may go on after an error: words that begin blocks or statements, and braces, but for those in texts."""
    return re.compile(
        r'"(?:[^"\\\n]|\\.)*"|#[^\n]*'
        rf"|(?P<top>^(?:{'|'.join(TOP)})\b)"
        rf"|(?P<keyword>^[ \t]*(?:{statement_pattern()}))"
        r"|(?P<open>\{)|(?P<close>\})",
        re.MULTILINE,
    )


def _token(name: str, text: str, source: Source, start: int, end: int) -> Token:
    """A token as the lexer would have made it of the characters from ``start`` to before ``end``."""
    line, column = source.place(start)
    return Token(name, text, start, line, column, line, column + end - start, end)
