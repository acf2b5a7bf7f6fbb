"""Sums and differences of three-digit numbers, every digit a token: ``345+123=+0468``, ``345-678=-0333``.

The tasks of Quirke et al. 2024 (arXiv:2402.02619). The text goes on to the last digit but one of the right answer, so
that each token of the answer is asked for after the one before it: ``accuracy(at A3)`` is about the digit A2, and
without ``at`` it is about A0. Digits have the number of their power of ten.

1. A column is a pair of digits. By itself it has a *plain* digit, their sum or difference without what comes from
   below, and it *hands on* a carry or a borrow, none, or what comes from below (digits that add up to 9, or that are
   equal).
2. Of a difference, the smaller number is taken from the larger one, and the sign says which was which.
3. A variable is what one column has of one of these. The counterfactual is another question in which each variable
   has a value that, by itself, would change the answer's digit (``Prediction``); the rest of it is as it comes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from circuitdsl.language.environment import AnswersInfo, PositionInfo, TaskInfo, TaskRef, VariableInfo
from circuitdsl.tasks.arguments import one_of, refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import Answer, Answers, Prediction, TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import tokens_of

DIGITS = 3
BEYOND = 10**DIGITS
"""Numbers are below this."""

PLUS, MINUS = "+", "-"
POSITIONS = ("D2", "D1", "D0", "OP", "E2", "E1", "E0", "EQ", "SIGN", "A3", "A2", "A1")
"""The tokens of a text, in order."""

OTHER, OTHER_SIGN = "other", "other_sign"


@dataclass(frozen=True)
class Column:
    """A pair of digits by itself, which ``hands_on`` a carry or borrow, none, or, None, what comes from below."""

    plain: int
    hands_on: bool | None


@dataclass(frozen=True)
class Question:
    """A sum or a difference of two numbers below ``BEYOND``."""

    first: int
    second: int
    operator: str

    @property
    def answer(self) -> int:
        return self.first + self.second if self.operator == PLUS else self.first - self.second

    @property
    def sign(self) -> str:
        return MINUS if self.answer < 0 else PLUS

    @property
    def text(self) -> str:
        """The question and its whole answer."""
        given = f"{self.first:0{DIGITS}}{self.operator}{self.second:0{DIGITS}}"
        return f"{given}={self.sign}{abs(self.answer):0{DIGITS + 1}}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The pairs of digits, the lowest first; of a difference those of the larger number less the smaller one."""
        if self.operator == PLUS:
            pairs = zip(_digits(self.first), _digits(self.second), strict=True)
            return tuple(Column((a + b) % 10, None if a + b == 9 else a + b > 9) for a, b in pairs)
        small, large = sorted((self.first, self.second))
        pairs = zip(_digits(large), _digits(small), strict=True)
        return tuple(Column((a - b) % 10, None if a == b else a < b) for a, b in pairs)


def _digits(number: int) -> tuple[int, ...]:
    """The lowest first."""
    return tuple(number // 10**n % 10 for n in range(DIGITS))


def carries(columns: tuple[Column, ...]) -> tuple[bool, ...]:
    """Whether a carry or a borrow leaves each column, the lowest first."""
    found: list[bool] = []
    for column in columns:
        below = bool(found) and found[-1]
        found.append(below if column.hands_on is None else column.hands_on)
    return tuple(found)


def digit(columns: tuple[Column, ...], n: int, operator: str) -> int:
    """The digit of the answer at a power of ten."""
    below = n > 0 and carries(columns)[n - 1]
    plain = columns[n].plain if n < DIGITS else 0
    return (plain + below if operator == PLUS else plain - below) % 10


# --- variables ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Names:
    """What a task calls its variables, and how far the columns reach that hand something on to a digit."""

    operator: str
    plain: str
    handed: str

    @property
    def handing(self) -> range:
        """The columns above which the answer has a digit: none is borrowed from above the highest."""
        return range(DIGITS if self.operator == PLUS else DIGITS - 1)


_SUM, _DIFFERENCE = _Names(PLUS, "SA", "ST"), _Names(MINUS, "MD", "MT")
_NAMES = {PLUS: _SUM, MINUS: _DIFFERENCE}


def _before(n: int) -> str:
    """The position after which the answer's digit of a power of ten comes."""
    return f"A{n + 1}" if n < DIGITS else "SIGN"


def predicted(question: Question, other: Question) -> dict[str, tuple[int, int]]:
    """By variable the power of ten of the answer's digit that it changes, and what that would be by its other value."""
    names, columns, theirs = _NAMES[question.operator], question.columns, other.columns
    found: dict[str, tuple[int, int]] = {}
    for n in range(DIGITS):
        changed = _with(columns, n, replace(columns[n], plain=theirs[n].plain))
        found[f"{names.plain}{n}"] = n, digit(changed, n, names.operator)
    for n in names.handing:
        changed = _with(columns, n, replace(columns[n], hands_on=theirs[n].hands_on))
        found[f"{names.handed}{n}"] = n + 1, digit(changed, n + 1, names.operator)
    return found


def _with(columns: tuple[Column, ...], n: int, column: Column) -> tuple[Column, ...]:
    return (*columns[:n], column, *columns[n + 1 :])


def _other(question: Question, rng: random.Random) -> Question:
    """Another question with a sign as this one, each of whose variables by itself would change the answer."""
    right = [digit(question.columns, n, question.operator) for n in range(DIGITS + 1)]
    while True:
        other = _drawn(question.operator, question.sign, rng)
        if all(value != right[n] for n, value in predicted(question, other).values()):
            return other


def _drawn(operator: str, sign: str, rng: random.Random) -> Question:
    while True:
        question = Question(rng.randrange(BEYOND), rng.randrange(BEYOND), operator)
        if question.sign == sign:
            return question


# --- prompts -----------------------------------------------------------------------------------------

SIGNS = {"sum": PLUS, "positive": PLUS, "negative": MINUS}
"""The sign of the answer, by template."""


def written(question: Question, template: str, rng: random.Random) -> TextPrompt:
    """The prompt of a question, with counterfactuals that are drawn for it."""
    text, lowest = question.text[:-1], _rest(question.text[-1])
    other = _other(question, rng)
    counterfactuals = {OTHER: other.text[:-1]}
    leads_to = {
        name: Prediction(OTHER, str(value), _before(n)) for name, (n, value) in predicted(question, other).items()
    }
    if question.operator == MINUS:
        turned = _drawn(MINUS, _opposite(question.sign), rng)
        counterfactuals[OTHER_SIGN] = turned.text[:-1]
        leads_to["GT"] = Prediction(OTHER_SIGN, turned.sign, "EQ")
    after_equals = range(POSITIONS.index("EQ"), len(POSITIONS))
    return TextPrompt(
        text=text,
        answer=question.text[-1],
        wrong=lowest.wrong,
        options=lowest.options,
        spans={name: ((at, at + 1),) for at, name in enumerate(POSITIONS)},
        counterfactuals=counterfactuals,
        template=template,
        predicted=leads_to,
        elsewhere={POSITIONS[at]: _rest(question.text[at + 1]) for at in after_equals},
    )


def _rest(right: str) -> Answers[Answer]:
    """A digit of all digits, or a sign of both signs."""
    every = "0123456789" if right.isdigit() else PLUS + MINUS
    return Answers((right,), tuple(each for each in every if each != right), tuple(every))


def _opposite(sign: str) -> str:
    return PLUS if sign == MINUS else MINUS


def _choose(selection: Selection) -> tuple[()]:
    text = Question(345, 678, MINUS).text
    (found,) = tokens_of(selection.tokenizer, [text])
    if len(found) != len(text) or selection.tokenizer.unk_token_id in found:
        raise TaskError(
            f"sums and differences need a vocabulary in which every digit and sign is a token, and {text} is "
            f"{len(found)} tokens for this tokenizer",
            "use the models addition or arithmetic, or another task",
        )
    return ()


# --- the tasks ---------------------------------------------------------------------------------------


def _positions() -> Iterator[PositionInfo]:
    for n in range(DIGITS - 1, -1, -1):
        yield PositionInfo(f"D{n}", f"the digit of the first number at 10^{n}")
    yield PositionInfo("OP", "the sign between the numbers")
    for n in range(DIGITS - 1, -1, -1):
        yield PositionInfo(f"E{n}", f"the digit of the second number at 10^{n}")
    yield PositionInfo("EQ", "the equals sign, after which the answer's sign comes")
    yield PositionInfo("SIGN", "the answer's sign, after which its highest digit comes")
    for n in range(DIGITS, 0, -1):
        yield PositionInfo(f"A{n}", f"the answer's digit at 10^{n}, after which that at 10^{n - 1} comes")
    yield PositionInfo("END", "the last token, A1, after which the lowest digit is predicted")


_ELSEWHERE = (
    AnswersInfo("EQ", "the answer's sign"),
    *(AnswersInfo(_before(n), f"the answer's digit A{n}") for n in range(DIGITS, -1, -1)),
)


def _variables(names: _Names, plain: str, handed: str) -> Iterator[VariableInfo]:
    for n in range(DIGITS):
        about = f"{plain} at 10^{n}, without what comes from below: it gives A{n}"
        yield VariableInfo(f"{names.plain}{n}", about, OTHER, _before(n))
    for n in names.handing:
        yield VariableInfo(f"{names.handed}{n}", f"{handed} at 10^{n}: it changes A{n + 1}", OTHER, _before(n + 1))


_ADDITION = TaskInfo(
    name="addition",
    about="Sums of two three-digit numbers, a token a digit; the answer's digits one after the other (Quirke et al. "
    "2024)",
    positions=tuple(_positions()),
    counterfactuals=((OTHER, "another sum, each variable of which has a value that would change the answer"),),
    default_counterfactual=OTHER,
    templates=1,
    variables=tuple(
        _variables(
            _SUM,
            "the sum of the digits, its last digit,",
            "whether the digits hand on a carry (10 or more), none (8 or less), or what comes from below (9)",
        )
    ),
    elsewhere=_ELSEWHERE,
)

_SUBTRACTION = TaskInfo(
    name="subtraction",
    about="Differences of two three-digit numbers, a token a digit; half of them are negative, or, with "
    'subtraction(sign: "negative") and "positive", all and none (Quirke et al. 2024)',
    positions=tuple(_positions()),
    counterfactuals=(
        (OTHER, "another difference of the same sign, each variable of which would change the answer"),
        (OTHER_SIGN, "a difference of the other sign"),
    ),
    default_counterfactual=OTHER,
    templates=2,
    variables=(
        *_variables(
            _DIFFERENCE,
            "the digit of the larger number less that of the smaller one, modulo 10,",
            "whether the digits hand on a borrow (the larger number's is smaller), none, or what comes from below "
            "(equal digits)",
        ),
        VariableInfo("GT", "which number is larger: it gives the answer's sign", OTHER_SIGN, "EQ"),
    ),
    elsewhere=_ELSEWHERE,
)


def _task(info: TaskInfo, operator: str, templates: tuple[str, ...]) -> WrittenTask[tuple[()]]:
    def draw_text(template: str, pools: tuple[()], rng: random.Random) -> TextPrompt:
        return written(_drawn(operator, SIGNS[template], rng), template, rng)

    return WrittenTask(info, templates, (), _choose, draw_text)


def open_addition(ref: TaskRef) -> WrittenTask[tuple[()]]:
    """The task of ``task addition``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return _task(_ADDITION, PLUS, ("sum",))


def open_subtraction(ref: TaskRef) -> WrittenTask[tuple[()]]:
    """The task of ``task subtraction`` or ``task subtraction(sign: "negative")``. Raises :class:`UnknownName` for other
    arguments."""
    signs = ("positive", "negative")
    sign = one_of(ref, "sign", signs)
    if sign is None:
        return _task(_SUBTRACTION, MINUS, signs)
    return _task(replace(_SUBTRACTION, templates=1), MINUS, (sign,))
