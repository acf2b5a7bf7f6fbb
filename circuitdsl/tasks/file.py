"""Anybody's own prompts: ``task file("my.jsonl")``, one JSON object a line.

The file is read as data and nothing else, within limits, and every mistake is reported with its line. What only a
tokenizer can tell (an answer of two tokens, a counterfactual of another length) comes out when prompts are drawn.
"""

from __future__ import annotations

import difflib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, UnknownName
from circuitdsl.language.grammar import is_name
from circuitdsl.tasks.drawing import turns
from circuitdsl.tasks.file_notes import note_of_bos, notes_of_texts, notes_of_tokens
from circuitdsl.tasks.layout import Layout, layouts_of
from circuitdsl.tasks.prompts import PromptSet, Span, TextPrompt
from circuitdsl.tasks.tokenise import tokenise

MAX_BYTES = 64 * 1024 * 1024
MAX_LINE = 256 * 1024  # characters
MAX_LAYOUTS = 500  # prompts whose layout is looked at for an estimate
MAX_SHOWN = 10  # mistakes in one message

_REQUIRED = ("prompt", "answer", "wrong")
_FIELDS = (*_REQUIRED, "right", "options", "counterfactuals", "positions", "template", "item")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("END", "all")
_REMEDY = (
    'write one JSON object a line, such as {"prompt": "When Mary and John met, John waved to", "answer": " Mary", '
    '"wrong": [" John"], "positions": {"S2": [24, 28]}}'
)


_Object = dict[str, object]
"""An object of JSON, whose values have not been looked at."""


class _Mistake(Exception):
    """Something wrong with one line; the message says what, the caller where."""


@dataclass(frozen=True)
class FileTask:
    """The prompts of a file, with the line that each came from."""

    info: TaskInfo
    lines: tuple[tuple[int, TextPrompt], ...]
    name: str

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Task`. The file's order is shuffled within each template."""
        rng = random.Random(f"file {seed}")
        by_template: dict[str, list[tuple[int, TextPrompt]]] = {}
        for number, prompt in self.lines:
            by_template.setdefault(prompt.template, []).append((number, prompt))
        for group in by_template.values():
            rng.shuffle(group)
        drawn = islice(_in_turns(by_template, rng), count)
        made = tuple(
            (number, prompt, tokenise(prompt, tokenizer, bos, f"{self.name}, line {number}"))
            for number, prompt in drawn
        )
        return PromptSet(
            tuple(prompt for _, _, prompt in made),
            (
                *notes_of_texts(self.name, self.lines),
                *(note_of_bos(self.name, self.lines, tokenizer) if bos else ()),
                *notes_of_tokens(self.name, made, tokenizer),
            ),
            exhausted=len(made) == len(self.lines),
            shares={template: len(group) / len(self.lines) for template, group in by_template.items()},
        )

    def every(self, tokenizer: Any, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Listing`. All lines."""
        return self.draw(tokenizer, len(self.lines), seed, bos)

    def layouts(self) -> tuple[Layout, ...]:
        """See :class:`circuitdsl.tasks.Task`. Those of the file's first lines."""
        return layouts_of(prompt for _, prompt in self.lines[:MAX_LAYOUTS])


class _FileOpener:
    """Opens ``task file("my.jsonl")``; a relative name counts from the specification's folder."""

    def __call__(self, ref: TaskRef) -> FileTask:
        """The task that ``ref`` names.

        Raises :class:`UnknownName` for other arguments, a file that cannot be read, and mistakes in it, with their
        lines.
        """
        name = _name(ref)
        lines = _parse(name, _read(_path(ref), name))
        return FileTask(_info(ref, [prompt for _, prompt in lines]), tuple(lines), name)

    def files(self, ref: TaskRef) -> tuple[Path, ...]:
        """See :class:`circuitdsl.tasks.ReadsFiles`."""
        return (_path(ref),)


open_file = _FileOpener()


def _path(ref: TaskRef) -> Path:
    return Path(ref.folder) / _name(ref)


def _name(ref: TaskRef) -> str:
    named = [value for key, value in ref.arguments if key == ""]
    if len(ref.arguments) != 1 or len(named) != 1 or not isinstance(named[0], str):
        raise UnknownName(
            f"the task file takes one argument, a file's name, but got {ref}", remedy='write: file("my.jsonl")'
        )
    return named[0]


def _in_turns(by_template: dict[str, list[tuple[int, TextPrompt]]], rng: random.Random):
    """All lines once, the templates taking turns as long as they last."""
    waiting = {template: iter(group) for template, group in by_template.items()}
    left = sum(len(group) for group in by_template.values())
    for template in turns(list(by_template), rng):
        if left == 0:
            return
        for line in islice(waiting[template], 1):
            left -= 1
            yield line


def _read(path: Path, name: str) -> str:
    try:
        if not path.is_file():
            raise UnknownName(
                f"{name}: there is no such file ({path})", remedy="file names count from the spec's folder"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnknownName(
                f"{name}: {size / 2**20:.0f} MiB, more than the limit of {MAX_BYTES // 2**20}", remedy="split the file"
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnknownName(f"{name}, line {line}: not UTF-8", remedy="save the file as UTF-8 text") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UnknownName(f"{name}: cannot be read: {error}", remedy="check its name and permissions") from error


def _parse(name: str, text: str) -> list[tuple[int, TextPrompt]]:
    found: list[tuple[int, TextPrompt]] = []
    mistakes: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append((number, _prompt(_object(line))))
        except _Mistake as mistake:
            mistakes.append(f"{name}, line {number}: {mistake}")
    if not found and not mistakes:
        mistakes.append(f"{name}: there are no prompts in it")
    if not mistakes:
        mistakes += _uneven(name, found)
    if mistakes:
        first, *others = mistakes[:MAX_SHOWN]
        more = [f"and {len(mistakes) - MAX_SHOWN} more"] if len(mistakes) > MAX_SHOWN else []
        raise UnknownName(first, remedy=_REMEDY, notes=(*others, *more))
    return found


def _uneven(name: str, lines: Sequence[tuple[int, TextPrompt]]) -> list[str]:
    """Lines whose counterfactuals are not called as the first line's: a patch needs one from every prompt."""
    first, model = lines[0][0], set(lines[0][1].counterfactuals)
    return [
        f"{name}, line {number}: its counterfactuals are {_listed(prompt.counterfactuals)}, those of line {first} "
        f"{_listed(model)}"
        for number, prompt in lines
        if set(prompt.counterfactuals) != model
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _object(line: str) -> _Object:
    if len(line) > MAX_LINE:
        raise _Mistake(f"{len(line)} characters, more than the limit of {MAX_LINE}")
    try:
        found = json.loads(line, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise _Mistake(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise _Mistake("a number of too many digits") from error
    except RecursionError as error:
        raise _Mistake("nested too deeply") from error
    if not isinstance(found, dict):
        raise _Mistake(f"{_kind(found)} where an object {{...}} should be")
    return cast(_Object, found)


def _without_repeats(pairs: list[tuple[str, object]]) -> _Object:
    found: _Object = {}
    for key, value in pairs:
        if key in found:
            raise _Mistake(f'"{key}" is given twice')
        found[key] = value
    return found


def _prompt(fields: _Object) -> TextPrompt:
    for key in fields:
        if key not in _FIELDS:
            near = difflib.get_close_matches(key, _FIELDS, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"the fields are {', '.join(_FIELDS)}"
            raise _Mistake(f'unknown field "{key}"; {hint}')
    for key in _REQUIRED:
        if key not in fields:
            raise _Mistake(f'"{key}" is missing')
    text = _text(fields["prompt"], "prompt")
    answer = _text(fields["answer"], "answer")
    wrong = _texts(fields["wrong"], "wrong")
    if answer in wrong:
        raise _Mistake(f'the answer "{answer}" is also listed as wrong')
    right = _texts(fields["right"], "right") if "right" in fields else ()
    for other in right:
        if other in wrong:
            raise _Mistake(f'the right answer "{other}" is also listed as wrong')
    answers = tuple(dict.fromkeys((answer, *right)))
    options = _texts(fields["options"], "options") if "options" in fields else (*answers, *wrong)
    for each in answers:
        if each not in options:
            raise _Mistake(f'"options" leaves out the answer "{each}"')
    return TextPrompt(
        text=text,
        answer=answer,
        wrong=wrong,
        options=options,
        spans={name: _spans(value, name, text) for name, value in _names(fields, "positions")},
        counterfactuals={
            name: _text(value, f"counterfactual {name}") for name, value in _names(fields, "counterfactuals")
        },
        template=_text(fields.get("template", "file"), "template"),
        right=answers if right else (),
        item=_text(fields["item"], "item") if "item" in fields else "",
    )


def _names(fields: _Object, key: str) -> list[tuple[str, object]]:
    given = fields.get(key, {})
    if not isinstance(given, dict):
        raise _Mistake(f'"{key}" is {_kind(given)}, not an object of names')
    named = cast(_Object, given)
    for name in named:
        if not _NAME.fullmatch(name):
            raise _Mistake(f'"{name}" in "{key}" is not a name of letters, digits and _')
        if not is_name(name):
            raise _Mistake(f'"{name}" in "{key}" is a word of the language, which no name can be: write "{name}_"')
        if key == "positions" and name in _RESERVED:
            raise _Mistake(f"the position {name} is always there and cannot be given")
    return list(named.items())


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _Mistake(f'"{what}" is {_kind(value)}, not a string')
    if not value.strip():
        raise _Mistake(f'"{what}" is empty')
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise _Mistake(f'"{what}" holds half of a surrogate pair, which is no character')
    return value


def _texts(value: object, what: str) -> tuple[str, ...]:
    listed = _list(value)
    if not listed:
        raise _Mistake(f'"{what}" is {_kind(value)}, not a list of strings')
    return tuple(_text(one, what) for one in listed)


def _spans(value: object, name: str, text: str) -> tuple[Span, ...]:
    """``[start, end]`` or a list of such, each within ``text`` and not empty."""
    listed = _list(value)
    spans: list[Span] = []
    for span in listed if listed and isinstance(listed[0], list) else (value,):
        ends = _list(span)
        start, end = map(_character, ends) if len(ends) == 2 else (None, None)
        if start is None or end is None:
            raise _Mistake(f"position {name} is {json.dumps(span)}, not [start, end] in characters, or a list of these")
        if not 0 <= start < end <= len(text):
            raise _Mistake(f"position {name} is [{start}, {end}], but the prompt has characters 0 to {len(text)}")
        if not text[start:end].strip():
            raise _Mistake(f"position {name}, [{start}, {end}], covers only white space")
        spans.append((start, end))
    return tuple(spans)


def _list(value: object) -> list[object]:
    """What a list holds, nothing if ``value`` is something else."""
    return cast(list[object], value) if isinstance(value, list) else []


def _character(value: object) -> int | None:
    """A place in a text, if ``value`` is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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


def _info(ref: TaskRef, prompts: list[TextPrompt]) -> TaskInfo:
    most: dict[str, int] = {}
    for prompt in prompts:
        for name, spans in prompt.spans.items():
            most[name] = max(most.get(name, 0), len(spans))
    counterfactuals = tuple(prompts[0].counterfactuals)
    lines = Counter(prompt.template for prompt in prompts)
    return TaskInfo(
        name=str(ref),
        about=f"{len(prompts)} prompts of your own",
        positions=(
            *(PositionInfo(name, "given by the file", many=count > 1) for name, count in most.items()),
            PositionInfo("END", "the last token, where the answer is predicted"),
        ),
        counterfactuals=tuple((name, "given by the file") for name in counterfactuals),
        default_counterfactual=counterfactuals[0] if counterfactuals else None,
        templates=len(lines),
        lines=tuple(lines.values()),
        listed=len(prompts),
    )
