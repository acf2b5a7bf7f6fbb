"""The parts of Lark that have no types of their own, or incomplete ones, with the types that this package relies on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self, TypeVar, cast

from lark import Lark, Token, Tree, visitors
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import LexerThread

AnyClass = TypeVar("AnyClass", bound=type)


class ParseConf(Protocol):
    """The parts of a parse that copies of a parser share."""

    callbacks: dict[Any, Any]


class ParserState(Protocol):
    """The stacks of an LALR parser."""

    parse_conf: ParseConf
    state_stack: list[object]
    value_stack: list[object]  # tokens, trees, and lists of these


class Interactive(Protocol):
    """``lark.parsers.lalr_interactive_parser.InteractiveParser``."""

    parser_state: ParserState
    lexer_thread: LexerThread

    def iter_parse(self) -> Iterator[Token]: ...
    def exhaust_lexer(self) -> list[Token]: ...
    def feed_token(self, token: Token) -> object: ...
    def feed_eof(self) -> Tree[Token]: ...
    def accepts(self) -> set[str]: ...
    def copy(self, deepcopy_values: bool = True) -> Self: ...


def parse_interactive(lark: Lark, text: str) -> Interactive:
    """A parser that stands before the first token of ``text``."""
    return cast(Any, lark).parse_interactive(text)


def with_meta(transformer: AnyClass) -> AnyClass:
    """A class decorator: the methods of a ``lark.Transformer`` are given the place of the tree, then its children."""
    return cast(Any, visitors).v_args(meta=True)(transformer)


def unexpected_token(error: UnexpectedToken) -> Token:
    """The token that an error is about."""
    return cast(Any, error).token


def unexpected_at(error: UnexpectedInput) -> int:
    """Where the character stands that an error of the lexer is about."""
    assert isinstance(error, UnexpectedCharacters)
    return cast(Any, error).pos_in_stream
