"""The lines of a file of prompts: each a JSON object that becomes a prompt, or a mistake with what to write instead.

Lines are data of anybody's: they are read within limits of size and nesting, and nothing in them is trusted.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from circuitdsl.components import END
from circuitdsl.language.environment import LineFault
from circuitdsl.language.grammar import is_name
from circuitdsl.tasks.prompts import Answer, Answers, FirstToken, Prediction, Span, TextPrompt

MAX_LINE = 256 * 1024  # characters

Line = tuple[int, TextPrompt]
"""The number of a line and its prompt."""

EXAMPLE = (
    '{"prompt": "When Mary and John met, John waved to", "answer": " Mary", "wrong": [" John"], '
    '"counterfactuals": {"other": "When Tom and Anna met, Paul waved to"}, "positions": {"S2": "John#2"}, '
    '"template": "met"}'
)
"""A line that is right."""

_REQUIRED = ("prompt", "answer")
_FIELDS = (*_REQUIRED, "wrong", "right", "options", "counterfactuals", "positions", "at", "template", "item")
_OF_ANSWERS = ("answer", "right", "wrong", "options")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NTH = re.compile(r"(?P<words>.+)#(?P<number>[1-9][0-9]{0,5})", re.DOTALL)
_RESERVED = ("END", "all")
_LONGEST = 60  # characters of a text that a message quotes
_COMPARED = 200  # words of a prompt among which a mistyped one is looked for
_SHOWN = 6  # unknown fields of a line that a message names

_ELSEWHERE: Mapping[str, str] = {
    "clean": '"prompt"',
    "text": '"prompt"',
    "sentence": '"prompt"',
    "corrupt": '"counterfactuals": {"corrupt": "..."}',
    "corrupted": '"counterfactuals": {"corrupted": "..."}',
    "corrupted_prompt": '"counterfactuals": {"corrupted": "..."}',
    "counterfactual": '"counterfactuals": {"other": "..."}',
    "answers": '"answer"',
    "target": '"answer"',
    "label": '"answer"',
    "correct_idx": '"answer"',
    "wrong_answers": '"wrong"',
    "distractor": '"wrong"',
    "incorrect_idx": '"wrong"',
}
"""What other tools call the fields, and how it is written here."""

_Object = dict[str, object]
"""An object of JSON, whose values have not been looked at."""


class Mistake(Exception):
    """Something wrong with one line, and what to write instead; who catches it says where."""

    def __init__(self, message: str, remedy: str):
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Lines:
    """The prompts of a file by the numbers of their lines, and all lines that hold none."""

    prompts: tuple[Line, ...]
    faults: tuple[LineFault, ...]


def read_lines(text: str, file: str) -> Lines:
    """The prompts of the text of ``file``. Lines agree in what they have: those that lack what most have are faults."""
    found: list[Line] = []
    faults: list[LineFault] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append((number, _prompt(_object(line))))
        except Mistake as mistake:
            faults.append(LineFault(file, number, mistake.message, mistake.remedy))
    faults += (LineFault(file, number, message, remedy) for number, message, remedy in _uneven(found))
    lacking = {fault.line for fault in faults}
    return Lines(
        tuple(line for line in found if line[0] not in lacking), tuple(sorted(faults, key=lambda each: each.line))
    )


def _uneven(lines: Sequence[Line]) -> Iterator[tuple[int, str, str]]:
    """Lines that have other counterfactuals, variables or positions with answers than most have, or no wrong answers
    where most have some: what is measured needs them of every prompt."""
    if not lines:
        return
    given = [
        (frozenset(prompt.counterfactuals), bool(prompt.wrong), _variables(prompt), _answered(prompt))
        for _, prompt in lines
    ]
    most, _ = Counter(given).most_common(1)[0]
    names, wrong, variables, answered = most
    example = next(number for (number, _), each in zip(lines, given, strict=True) if each == most)
    for (number, prompt), each in zip(lines, given, strict=True):
        if each[0] != names:
            message = (
                f"its counterfactuals are {_listed(prompt.counterfactuals)}, those of line {example} {_listed(names)}"
            )
            yield number, message, "give every line counterfactuals of the same names"
        elif each[1] != wrong:
            has, other = ("no", "some") if wrong else ("some", "none")
            message = f"it gives {has} wrong answers, and line {example} {other}"
            yield number, message, 'give every line wrong answers, `"wrong": [" John"]`, or none'
        elif each[2] != variables:
            message = f"it predicts by {_listed(each[2])}, line {example} by {_listed(variables)}"
            yield number, message, "give every line predictions by the same variables on the same counterfactuals"
        elif each[3] != answered:
            message = f"it gives answers at {_listed(each[3])}, line {example} at {_listed(answered)}"
            yield number, message, "give every line answers after the same positions, all with wrong ones or none"


def _variables(prompt: TextPrompt) -> frozenset[str]:
    """Its variables, each with its counterfactual and where the answer stands, if not at END."""

    def where(prediction: Prediction) -> str:
        return "" if prediction.at == END.name else f" at {prediction.at}"

    return frozenset(f"{name} on {each.counterfactual}{where(each)}" for name, each in prompt.predicted.items())


def _answered(prompt: TextPrompt) -> frozenset[str]:
    """The positions besides END after which it gives answers, and whether it gives wrong ones."""
    return frozenset(f"{name}{'' if each.wrong else ' (none wrong)'}" for name, each in prompt.elsewhere.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


# --- one line --------------------------------------------------------------------------------------


def _object(line: str) -> _Object:
    if len(line) > MAX_LINE:
        raise Mistake(f"{len(line)} characters, more than the limit of {MAX_LINE}", "write a shorter prompt")
    remedy = f"write one JSON object a line, such as {EXAMPLE}"
    try:
        found = json.loads(line, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise Mistake(f"not JSON: {error.msg} at column {error.colno}", remedy) from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise Mistake("a number of too many digits", "write a shorter one") from error
    except RecursionError as error:
        raise Mistake("nested too deeply", remedy) from error
    if not isinstance(found, dict):
        raise Mistake(f"{_kind(found)} where an object {{...}} should be", remedy)
    return cast(_Object, found)


def _without_repeats(pairs: list[tuple[str, object]]) -> _Object:
    found: _Object = {}
    for key, value in pairs:
        if key in found:
            raise Mistake(f'"{_short(key)}" is given twice', "leave one out")
        found[key] = value
    return found


def _prompt(fields: _Object) -> TextPrompt:
    _check_fields(fields)
    text = _text(fields["prompt"], "prompt")
    answers = _answers_of(fields)
    first, *_ = answers.right
    several = len(answers.right) > 1 or "right" in fields
    counterfactuals = [_counterfactual(name, value) for name, value in _names(fields, "counterfactuals")]
    made = TextPrompt(
        text=text,
        answer=first,
        wrong=answers.wrong,
        options=answers.options,
        spans={},
        counterfactuals={name: text for name, text, _ in counterfactuals},
        template=_text(fields.get("template", "file"), "template"),
        right=answers.right if several else (),
        item=_text(fields["item"], "item") if "item" in fields else "",
        predicted=_predicted(counterfactuals),
        elsewhere={name: _elsewhere(name, value) for name, value in _names(fields, "at")},
    )
    placed = _placed(made, _names(fields, "positions"))
    _check_places(placed)
    return placed


def _check_places(prompt: TextPrompt) -> None:
    """Refuse answers after what is no position, and predictions where the right answer is not known."""
    predicted = {name: each.at for name, each in prompt.predicted.items() if each.at != END.name}
    for name in (*prompt.elsewhere, *predicted.values()):
        if name not in prompt.spans and name not in prompt.tokens:
            raise Mistake(f'answers after "{name}", which is no position of the line', 'give it in "positions"')
    for variable, name in predicted.items():
        if name not in prompt.elsewhere:
            raise Mistake(
                f"{variable} predicts an answer after {name}, and the line gives no right answer there",
                f'give the right answer there in "at": `"at": {{"{name}": {{"answer": " Mary", "wrong": [" John"]}}}}`',
            )


def _answers_of(fields: _Object) -> Answers[Answer]:
    """The right answers, the wrong ones and those to choose from; without others, the right and the wrong ones."""
    right = _answers(fields["answer"], "answer") + (_answers(fields["right"], "right") if "right" in fields else ())
    right = tuple(dict.fromkeys(right))
    wrong = _answers(fields["wrong"], "wrong") if "wrong" in fields else ()
    for each in right:
        if each in wrong:
            raise Mistake(f'the right answer "{each}" is also listed as wrong', "leave it out of one of them")
    options = _answers(fields["options"], "options") if "options" in fields else (*right, *wrong)
    for each in right:
        if each not in options:
            raise Mistake(f'"options" leaves out the answer "{each}"', "list the right answers and the wrong ones")
    return Answers(right, wrong, options)


def _elsewhere(position: str, value: object) -> Answers[Answer]:
    """The answers after a position: an object of the fields that answers have, or a right answer alone."""
    named: _Object = {}
    if isinstance(value, dict):
        named |= cast(_Object, value)
    given = named if named and list(named) != ["first"] else {"answer": cast(object, value)}
    unknown = [key for key in given if key not in _OF_ANSWERS]
    if unknown or "answer" not in given:
        raise Mistake(
            f'the answers after {position} are an object of {_listed(map(_short, given))}, not of "answer" and "wrong"',
            f'write "{position}": {{"answer": " Mary", "wrong": [" John"]}}',
        )
    return _answers_of(given)


def _counterfactual(name: str, value: object) -> tuple[str, str, list[tuple[str, object]]]:
    """A counterfactual's name and text, and what it says of variables: a text, or a text that predicts answers."""
    if not isinstance(value, dict):
        return name, _text(value, f"counterfactual {name}"), []
    given = cast(_Object, value)
    if set(given) != {"text", "predicts"}:
        raise Mistake(
            f'the counterfactual {name} is an object of {_listed(map(_short, given))}, not of "text" and "predicts"',
            f'write "{name}": "..." or "{name}": {{"text": "...", "predicts": {{"VARIABLE": " answer"}}}}',
        )
    return name, _text(given["text"], f"counterfactual {name}"), _names(given, "predicts")


def _predicted(counterfactuals: Iterable[tuple[str, str, list[tuple[str, object]]]]) -> dict[str, Prediction]:
    """What each variable leads to; one counterfactual alone gives it another value."""
    found: dict[str, Prediction] = {}
    for name, _, predicts in counterfactuals:
        for variable, answer in predicts:
            if variable in found:
                both = f"{found[variable].counterfactual} and {name}"
                raise Mistake(f"two counterfactuals predict by {variable}: {both}", "call one of them otherwise")
            found[variable] = _prediction(name, variable, answer)
    return found


def _prediction(counterfactual: str, variable: str, value: object) -> Prediction:
    """An answer at END, or ``{"answer": "7", "at": "A2"}``."""
    given: _Object = {}
    if isinstance(value, dict):
        given |= cast(_Object, value)
    if "at" not in given:
        return Prediction(counterfactual, _answer(cast(object, value), f"predicts {variable}"))
    place = given["at"]
    if set(given) != {"answer", "at"} or not isinstance(place, str) or place == "all":
        raise Mistake(
            f'what {variable} predicts is an object of {_listed(map(_short, given))}, not an "answer" and "at" where',
            f'write "{variable}": {{"answer": " Mary", "at": "POSITION"}}',
        )
    return Prediction(counterfactual, _answer(given["answer"], f"predicts {variable}"), place)


def _check_fields(fields: _Object) -> None:
    """Refuse a line with fields that nothing reads, or without those that it needs."""
    unknown = [key for key in fields if key not in _FIELDS]
    lacking = [f'"{key}"' for key in _REQUIRED if key not in fields]
    wrong: list[str] = []
    if unknown:
        named = ", ".join(f'"{_short(key)}"' for key in unknown[:_SHOWN])
        wrong.append(f"unknown field{'s' * (len(unknown) > 1)} {named}")
    if lacking:
        wrong.append(f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")
    if wrong:
        written = [_written_here(key) for key in unknown[:_SHOWN]]
        foreign = all(key in _ELSEWHERE for key in unknown) and unknown
        example = [] if foreign or not lacking else [f"a line is such as {EXAMPLE}"]
        raise Mistake("; ".join(wrong), "; ".join([*written, *example]))


def _written_here(key: str) -> str:
    """What to write in place of a field that is not known."""
    if key in _ELSEWHERE:
        return f'write {_ELSEWHERE[key]} for "{key}"'
    near = difflib.get_close_matches(key[:_LONGEST], _FIELDS, n=1)
    if near:
        return f'did you mean "{near[0]}" by "{_short(key)}"?'
    return f'leave "{_short(key)}" out (the fields are {", ".join(_FIELDS)})'


def _names(fields: _Object, key: str) -> list[tuple[str, object]]:
    given = fields.get(key, {})
    if not isinstance(given, dict):
        raise Mistake(f'"{key}" is {_kind(given)}, not an object of names', f'write "{key}": {{"NAME": ...}}')
    named = cast(_Object, given)
    for name in named:
        if not _NAME.fullmatch(name):
            message = f'"{_short(name)}" in "{key}" is not a name of letters, digits and _'
            raise Mistake(message, "write a name such as S2")
        if not is_name(name):
            message = f'"{name}" in "{key}" is a word of the language, which no name can be: write "{name}_"'
            raise Mistake(message, f'write "{name}_"')
        if key == "positions" and name in _RESERVED:
            raise Mistake(f"the position {name} is always there and cannot be given", "leave it out")
        if key == "at" and name in _RESERVED:
            raise Mistake(
                f'"{name}" in "at" is no place in the text', 'the answers after the last token are "answer", "wrong"'
            )
    return list(named.items())


# --- texts and answers -----------------------------------------------------------------------------


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise Mistake(f'"{what}" is {_kind(value)}, not a string', "write a text in quotes")
    if not value.strip():
        raise Mistake(f'"{what}" is empty', "write a text, or leave the field out if it may be")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise Mistake(f'"{what}" holds half of a surrogate pair, which is no character', "write the character itself")
    return value


def _answers(value: object, what: str) -> tuple[Answer, ...]:
    """One answer, or a list of them."""
    if value == []:
        raise Mistake(f'"{what}" is an empty list', f'list an answer, or leave "{what}" out if it may be')
    return tuple(_answer(one, what) for one in (_list(value) or [value]))


def _answer(value: object, what: str) -> Answer:
    if isinstance(value, str):
        return _text(value, what)
    if (token := _whole(value)) is not None:
        return token
    named: _Object = {}
    if isinstance(value, dict):
        named |= cast(_Object, value)
    if list(named) == ["first"]:
        return FirstToken(_text(named["first"], f"first of {what}"))
    remedy = 'write a text of one token, " Mary"; {"first": " Marianne"} for its first; or a token\'s number'
    raise Mistake(f'"{what}" is {_kind(cast(object, value))}, not an answer', remedy)


# --- positions -------------------------------------------------------------------------------------


def _placed(prompt: TextPrompt, positions: Iterable[tuple[str, object]]) -> TextPrompt:
    """A prompt with its positions, each given as words, as characters or as tokens."""
    spans: dict[str, tuple[Span, ...]] = {}
    tokens: dict[str, tuple[int, ...]] = {}
    for name, value in positions:
        given = _tokens(value)
        if given:
            tokens[name] = given
        else:
            spans[name] = _spans(value, name, prompt.text)
    return replace(prompt, spans=spans, tokens=tokens)


def _tokens(value: object) -> tuple[int, ...]:
    """Token indices: ``3`` or ``{"tokens": [3, 5]}``; () for what is something else."""
    listed = _list(cast(_Object, value).get("tokens")) if isinstance(value, dict) else [value]
    indices = [_whole(one) for one in listed]
    return tuple(index for index in indices if index is not None) if None not in indices else ()


def _spans(value: object, name: str, text: str) -> tuple[Span, ...]:
    """Words, ``[start, end]``, or a list of such, each within ``text`` and not empty."""
    listed = _list(value)
    several = any(isinstance(one, list | str) for one in listed)
    return tuple(_span(one, name, text) for one in (listed if several else [value]))


def _span(value: object, name: str, text: str) -> Span:
    if isinstance(value, str):
        return _words(value, name, text)
    ends = _list(value)
    start, end = map(_whole, ends) if len(ends) == 2 else (None, None)
    if start is None or end is None:
        raise Mistake(
            f"position {name} is {_shown(value)}, not words, [start, end] in characters or a token's index",
            f'write words of the prompt, "{name}": "John#2", or "{name}": [24, 28], or "{name}": 5',
        )
    word = re.search(r"\w+", text[max(0, start) :]) or re.search(r"\S+", text)
    remedy = f'write words of the prompt, "{name}": "{word[0] if word else ""}", or characters from 0 to {len(text)}'
    if not 0 <= start < end <= len(text):
        raise Mistake(f"position {name} is [{start}, {end}], but the prompt has characters 0 to {len(text)}", remedy)
    if not text[start:end].strip():
        raise Mistake(f"position {name}, [{start}, {end}], covers only white space", remedy)
    return start, end


def _words(given: str, name: str, text: str) -> Span:
    """Where words of the prompt stand: the first time, or as often as a number after # says."""
    words, number = given.strip(), 1
    if (nth := _NTH.fullmatch(words)) and words not in text:
        words, number = nth["words"].strip(), int(nth["number"])
    if not words:
        raise Mistake(f'position {name} is "", which is no word', f'write words of the prompt: "{name}": "John"')
    before, after = (r"(?<!\w)" if words[0].isalnum() else ""), (r"(?!\w)" if words[-1].isalnum() else "")
    places = [found.span() for found in re.finditer(f"{before}{re.escape(words)}{after}", text)]
    if len(places) >= number:
        return places[number - 1]
    if places:
        times = "once" if len(places) == 1 else f"{len(places)} times"
        raise Mistake(
            f'position {name} is "{_short(given)}", but the prompt says "{_short(words)}" {times}',
            f'write "{_short(words)}#{len(places)}" for the last, or the words of another place',
        )
    known = islice((found[0] for found in re.finditer(r"\w+", text)), _COMPARED)
    near = difflib.get_close_matches(words[:_LONGEST], [word[:_LONGEST] for word in known], n=1)
    raise Mistake(
        f'position {name} is "{_short(given)}", which are no words of the prompt',
        f'did you mean "{near[0]}"?' if near else "write words as the prompt has them, whole ones",
    )


# --- values of JSON --------------------------------------------------------------------------------


def _list(value: object) -> list[object]:
    """What a list holds, nothing if ``value`` is something else."""
    return cast(list[object], value) if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    """A place in a text or a token, if ``value`` is a whole number of a size that these have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(value: object) -> str:
    """A value as it is written, if that is short and not deep."""
    flat = not any(isinstance(one, list | dict) for one in (_list(value) or [value]))
    return _short(json.dumps(value)) if flat or value == [] else _kind(value)


def _kind(value: object) -> str:
    """A value of JSON in words."""
    match value:
        case []:
            return "an empty list"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "a string"
        case bool():
            return "true or false"
        case None:
            return "null"
        case _:
            return "a number"
