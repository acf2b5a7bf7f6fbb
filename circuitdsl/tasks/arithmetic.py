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
4. What a column hands on is two states, of which one at most holds: the digits make a carry, or add up to 9; they
   borrow, or are equal. A task that is asked for a state has it as a variable, and asks nothing where it could not have
   its other value alone: where the column's other state holds on either question, or no two numbers have it, for the
   larger one would be the smaller one. Nor does it where the answer would stay as it is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from circuitdsl.language.environment import AnswersInfo, PositionInfo, TaskInfo, TaskRef, VariableInfo
from circuitdsl.tasks.arguments import words_given
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
    """What a task calls its variables, and how far the columns reach that hand something on to a digit.

    ``made`` and ``passing`` are the states of what is handed on: that a column makes a carry or a borrow, and that it
    hands on what comes from below.
    """

    operator: str
    plain: str
    handed: str
    made: str
    passing: str

    @property
    def handing(self) -> range:
        """The columns above which the answer has a digit: none is borrowed from above the highest."""
        return range(DIGITS if self.operator == PLUS else DIGITS - 1)

    def handed_on(self, states: str) -> tuple[tuple[str, int, _State | None], ...]:
        """The variables of what is handed on, with their columns, and the state that each is, if it is one."""
        if states:
            return tuple((each.name, each.column, each) for each in self.asked[states])
        return tuple((f"{self.handed}{n}", n, None) for n in self.handing)

    @property
    def asked(self) -> dict[str, tuple[_State, ...]]:
        """The states that a task can be asked for, by the word for it: of all columns whether each makes a carry or a
        borrow, or of one whether it passes on what comes from below. To the lowest nothing comes."""
        passing = {f"{self.passing}{n}": (_State(f"{self.passing}{n}", n, None),) for n in self.handing[1:]}
        return {self.made: tuple(_State(f"{self.made}{n}", n, True) for n in self.handing)} | passing


@dataclass(frozen=True)
class _State:
    """A state of a column: whether what it ``hands_on`` is this, or, with neither state, nothing."""

    name: str
    column: int
    hands_on: bool | None

    def alone(self, ours: Column, theirs: Column) -> bool:
        """Whether this state is another one in two columns, and the other state holds in neither."""
        return {ours.hands_on, theirs.hands_on} == {self.hands_on, False}


_SUM, _DIFFERENCE = _Names(PLUS, "SA", "ST", "SC", "SS"), _Names(MINUS, "MD", "MT", "MB", "MZ")
_NAMES = {PLUS: _SUM, MINUS: _DIFFERENCE}


def _before(n: int) -> str:
    """The position after which the answer's digit of a power of ten comes."""
    return f"A{n + 1}" if n < DIGITS else "SIGN"


def predicted(question: Question, other: Question, states: str = "") -> dict[str, tuple[int, int]]:
    """By variable the power of ten of the answer's digit that it changes, and what that would be by its other value.

    With ``states`` these stand for what is handed on; one that could not have its other value alone predicts nothing.
    """
    names, columns, theirs = _NAMES[question.operator], question.columns, other.columns
    found: dict[str, tuple[int, int]] = {}
    for n in range(DIGITS):
        changed = _with(columns, n, replace(columns[n], plain=theirs[n].plain))
        found[f"{names.plain}{n}"] = n, digit(changed, n, names.operator)
    for name, n in _handed(names, columns, theirs, states):
        changed = _with(columns, n, replace(columns[n], hands_on=theirs[n].hands_on))
        found[name] = n + 1, digit(changed, n + 1, names.operator)
    return found


def _handed(
    names: _Names, ours: tuple[Column, ...], theirs: tuple[Column, ...], states: str
) -> Iterator[tuple[str, int]]:
    """The variables of what is handed on that can have their other value alone, with their columns."""
    for name, n, state in names.handed_on(states):
        if state is None or state.alone(ours[n], theirs[n]):
            yield name, n


def _with(columns: tuple[Column, ...], n: int, column: Column) -> tuple[Column, ...]:
    return (*columns[:n], column, *columns[n + 1 :])


def is_asked(question: Question, states: str) -> bool:
    """Whether each of some states could have its other value alone, and would change the answer then."""
    columns = question.columns
    return all(_changes(columns, each, question.operator) for each in _NAMES[question.operator].asked[states])


def _changes(columns: tuple[Column, ...], state: _State, operator: str) -> bool:
    n, ours = state.column, columns[state.column]
    theirs = replace(ours, hands_on=state.hands_on if ours.hands_on is False else False)
    changed = _with(columns, n, theirs)
    if operator == MINUS and carries(changed)[-1]:
        return False
    return state.alone(ours, theirs) and digit(changed, n + 1, operator) != digit(columns, n + 1, operator)


def _asked(operator: str, sign: str, states: str, rng: random.Random) -> Question:
    while True:
        question = _drawn(operator, sign, rng)
        if not states or is_asked(question, states):
            return question


def _other(question: Question, states: str, rng: random.Random) -> Question:
    """Another question with a sign as this one, each of whose variables by itself would change the answer."""
    right = [digit(question.columns, n, question.operator) for n in range(DIGITS + 1)]
    names = _NAMES[question.operator]
    count = DIGITS + len(names.handed_on(states))
    while True:
        other = _drawn(question.operator, question.sign, rng)
        found = predicted(question, other, states)
        if len(found) == count and all(value != right[n] for n, value in found.values()):
            return other


def _drawn(operator: str, sign: str, rng: random.Random) -> Question:
    while True:
        question = Question(rng.randrange(BEYOND), rng.randrange(BEYOND), operator)
        if question.sign == sign:
            return question


# --- prompts -----------------------------------------------------------------------------------------

SIGNS = {"sum": PLUS, "positive": PLUS, "negative": MINUS}
"""The sign of the answer, by template."""


def written(question: Question, template: str, states: str, rng: random.Random) -> TextPrompt:
    """The prompt of a question, with counterfactuals that are drawn for it."""
    text, lowest = question.text[:-1], _rest(question.text[-1])
    other = _other(question, states, rng)
    counterfactuals = {OTHER: other.text[:-1]}
    found = predicted(question, other, states)
    leads_to = {name: Prediction(OTHER, str(value), _before(n)) for name, (n, value) in found.items()}
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


def _variables(names: _Names, words: _Words, states: str) -> Iterator[VariableInfo]:
    for n in range(DIGITS):
        about = f"{words.plain} at 10^{n}, without what comes from below: it gives A{n}"
        yield VariableInfo(f"{names.plain}{n}", about, OTHER, _before(n))
    for name, n, state in names.handed_on(states):
        what = words.handed if state is None else words.made if state.hands_on else words.passing
        yield VariableInfo(name, f"{what} at 10^{n}: it changes A{n + 1}", OTHER, _before(n + 1))


@dataclass(frozen=True)
class _Words:
    """What the variables of a task are, for people."""

    plain: str
    handed: str
    made: str
    passing: str


_OF_SUMS = _Words(
    plain="the sum of the digits, its last digit,",
    handed="whether the digits hand on a carry (10 or more), none (8 or less), or what comes from below (9)",
    made="whether the digits make a carry (10 or more, or 8 or less)",
    passing="whether the digits add up to 9 (or to 8 or less), while a carry comes from below",
)

_OF_DIFFERENCES = _Words(
    plain="the digit of the larger number less that of the smaller one, modulo 10,",
    handed="whether the digits hand on a borrow (the larger number's is smaller), none, or what comes from below "
    "(equal digits)",
    made="whether the digits make a borrow (the larger number's is smaller, or larger)",
    passing="whether the digits are equal (or the larger number's is larger), while a borrow comes from below",
)


def _addition(states: str) -> TaskInfo:
    return TaskInfo(
        name="addition",
        about="Sums of two three-digit numbers, a token a digit; the answer's digits one after the other (Quirke et "
        f"al. 2024){_asking('addition', _SUM)}",
        positions=tuple(_positions()),
        counterfactuals=((OTHER, "another sum, each variable of which has a value that would change the answer"),),
        default_counterfactual=OTHER,
        templates=1,
        variables=tuple(_variables(_SUM, _OF_SUMS, states)),
        elsewhere=_ELSEWHERE,
    )


def _subtraction(states: str, signs: int) -> TaskInfo:
    return TaskInfo(
        name="subtraction",
        about="Differences of two three-digit numbers, a token a digit; half of them are negative, or, with "
        'subtraction(sign: "negative") and "positive", all and none (Quirke et al. 2024)'
        f"{_asking('subtraction', _DIFFERENCE)}",
        positions=tuple(_positions()),
        counterfactuals=(
            (OTHER, "another difference of the same sign, each variable of which would change the answer"),
            (OTHER_SIGN, "a difference of the other sign"),
        ),
        default_counterfactual=OTHER,
        templates=signs,
        variables=(
            *_variables(_DIFFERENCE, _OF_DIFFERENCES, states),
            VariableInfo("GT", "which number is larger: it gives the answer's sign", OTHER_SIGN, "EQ"),
        ),
        elsewhere=_ELSEWHERE,
    )


def _asking(task: str, names: _Names) -> str:
    first, *others = names.asked
    listed = " and ".join(f'"{word}"' for word in others)
    return f'; {task}(states: "{first}"), and {listed}, ask for states of what is handed on in place of {names.handed}'


def _task(info: TaskInfo, operator: str, templates: tuple[str, ...], states: str) -> WrittenTask[tuple[()]]:
    def draw_text(template: str, pools: tuple[()], rng: random.Random) -> TextPrompt:
        return written(_asked(operator, SIGNS[template], states, rng), template, states, rng)

    return WrittenTask(info, templates, (), _choose, draw_text)


def open_addition(ref: TaskRef) -> WrittenTask[tuple[()]]:
    """The task of ``task addition`` or ``task addition(states: "SC")``. Raises :class:`UnknownName` for other
    arguments."""
    states = words_given(ref, {"states": tuple(_SUM.asked)}).get("states", "")
    return _task(_addition(states), PLUS, ("sum",), states)


def open_subtraction(ref: TaskRef) -> WrittenTask[tuple[()]]:
    """The task of ``task subtraction`` or ``task subtraction(sign: "negative", states: "MB")``. Raises
    :class:`UnknownName` for other arguments."""
    signs = ("positive", "negative")
    given = words_given(ref, {"sign": signs, "states": tuple(_DIFFERENCE.asked)})
    templates, states = (given["sign"],) if "sign" in given else signs, given.get("states", "")
    return _task(_subtraction(states, len(templates)), MINUS, templates, states)
