"""Relations: facts of a subject and an object, the sentences in which they are asked for, and how files hold them.

A file holds one JSON object a relation, one after the other: a line each, or laid out over many lines, so that the
files of LRE (Hernandez et al. 2024) can be used as they are; several, one after the other, where wordings are alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from circuitdsl.tasks.file_lines import Mistake

SUBJECT = "{}"
"""Stands for the subject in a template."""

FIELDS: Mapping[str, str] = {
    "name": "what the relation is called: letters, digits and _, other signs become _",
    "samples": 'its facts, [{"subject": "France", "object": "Paris"}, ...]',
    "prompt_templates": "sentences with {} for the subject, which go on with the object",
    "prompt_templates_zs": "the same for prompts without demonstrations, where these are others",
    "held_out_templates": "wordings that `templates: held_out` asks in, and nothing else does",
    "relation_words": "words of the templates that name the relation: RELATION is the first that a template has",
}
"""What is read of a relation; other fields are left alone, for LRE's files have more."""


MOST_RELATIONS, MOST_WORDINGS = 200, 1_000
"""How many a file may have."""

MOST_FACTS, MOST_WORDS = 2_000, 20
"""How many a relation may have. LRE's files are 47 relations, with 1,000 facts in the largest."""

LONGEST = 1_000  # characters of a template, a word, a subject, an object


@dataclass(frozen=True)
class Fact:
    """A subject and the object that a relation gives it, as sentences write them: "France", "Paris".

    ``also`` are further objects that are right, where a relation gives the subject several.
    """

    subject: str
    object: str
    also: tuple[str, ...] = ()

    @property
    def objects(self) -> tuple[str, ...]:
        return (self.object, *self.also)


@dataclass(frozen=True)
class Relation:
    """Facts of one kind, one of a subject.

    ``templates`` are beginnings of sentences with ``{}`` for the subject, which go on with the object; ``held_out`` are
    others that something was not trained or looked for on; ``demonstrated`` are those that other facts in the same
    wording stand before. ``words`` name the relation.
    """

    name: str
    facts: tuple[Fact, ...]
    templates: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    demonstrated: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def named_at(self, template: str) -> tuple[int, int] | None:
        """Where a template names the relation, in characters; None where it does not."""
        for word in self.words:
            if found := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", template):
                return found.span()
        return None


def relations_of(text: str) -> tuple[Relation, ...]:
    """The relations that a file's text holds. Raises :class:`Mistake` with the line where one begins that is wrong."""
    found: dict[str, Relation] = {}
    wordings = 0
    for line, given in _objects(text):
        each = _relation(given, f"line {line}")
        if each.name in found:
            raise Mistake(f"two relations are called {each.name}", "give each a name of its own")
        found[each.name] = each
        wordings += len({*each.templates, *each.held_out, *each.demonstrated})
        _require_few(len(found), MOST_RELATIONS, "relations", f"line {line}")
        _require_few(wordings, MOST_WORDINGS, "templates in all", f"line {line}")
    if not found:
        raise Mistake("there are no relations in it", f"a relation is such as {EXAMPLE}")
    return tuple(found.values())


def _require_few(count: int, most: int, what: str, where: str) -> None:
    if count > most:
        raise Mistake(f"{where}: more than {most:,} {what}", "split the file, or leave some out")


EXAMPLE = (
    '{"name": "capital", "prompt_templates": ["The capital of {} is"], "relation_words": ["capital"], '
    '"samples": [{"subject": "France", "object": "Paris"}, {"subject": "Japan", "object": "Tokyo"}]}'
)
_REMEDY = f"write a relation as {EXAMPLE}"


def written(relations: Iterable[Relation]) -> str:
    """Relations as a file holds them, a line each."""
    return "".join(json.dumps(_fields(each), ensure_ascii=False) + "\n" for each in relations)


def _fields(relation: Relation) -> dict[str, object]:
    return {
        "name": relation.name,
        "relation_words": relation.words,
        "prompt_templates": relation.demonstrated,
        "prompt_templates_zs": relation.templates,
        "held_out_templates": relation.held_out,
        "samples": [{"subject": fact.subject, "object": each} for fact in relation.facts for each in fact.objects],
    }


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every JSON object of a text, with the line that it begins on."""
    decoder, end, line = json.JSONDecoder(), 0, 1
    while gap := re.compile(r"\s*").match(text, end):
        begin = gap.end()
        if begin == len(text):
            return
        line += text.count("\n", end, begin)
        try:
            found, end = decoder.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            raise Mistake(f"line {error.lineno}: not JSON: {error.msg}", _REMEDY) from error
        except (RecursionError, ValueError) as error:  # ValueError: a whole number of more than 4,300 digits
            raise Mistake(f"line {line}: nested too deeply, or a number of too many digits", _REMEDY) from error
        if not isinstance(found, dict):
            raise Mistake(f"line {line}: no object {{...}}", _REMEDY)
        yield line, cast(dict[str, Any], found)
        line += text.count("\n", begin, end)


def _relation(given: dict[str, Any], where: str) -> Relation:
    name = re.sub(r"\W+", "_", _text(given.get("name"), f'{where}: its "name"'), flags=re.ASCII).strip("_")
    if not name:
        raise Mistake(f'{where}: its "name" has no letter', "give it a name such as capital")
    where = f"{where}, relation {name}"
    templates = _templates(given, "prompt_templates", where)
    zero_shot = _templates(given, "prompt_templates_zs", where) or templates
    if not templates:
        raise Mistake(f'{where}: it has no "prompt_templates"', _REMEDY)
    words = tuple(
        _text(each, f'{where}: one of its "relation_words"') for each in _list(given, "relation_words", where)
    )
    _require_few(len(words), MOST_WORDS, '"relation_words"', where)
    objects: dict[str, list[str]] = {}
    samples = _list(given, "samples", where)
    _require_few(len(samples), MOST_FACTS, '"samples"', where)
    for sample in samples:
        subject, thing = _sample(sample, where)
        objects.setdefault(subject, []).append(thing)
    facts = tuple(Fact(subject, first, tuple(dict.fromkeys(more))) for subject, (first, *more) in objects.items())
    if len({fact.object for fact in facts}) < 2:
        raise Mistake(f"{where}: its samples have fewer than two objects", "give it facts that differ")
    return Relation(
        name=name,
        facts=facts,
        templates=zero_shot,
        held_out=_templates(given, "held_out_templates", where),
        demonstrated=templates,
        words=words,
    )


def _templates(given: dict[str, Any], field: str, where: str) -> tuple[str, ...]:
    found = tuple(_text(each, f'{where}: one of its "{field}"') for each in _list(given, field, where))
    for each in found:
        if each.count(SUBJECT) != 1:
            raise Mistake(f'{where}: the template "{each[:60]}" has {{}} {each.count(SUBJECT)} times', "write {} once")
    return found


def _sample(given: Any, where: str) -> tuple[str, str]:
    """A subject and an object of it."""
    pair = cast(dict[str, object], given) if isinstance(given, dict) else {}
    return (
        _text(pair.get("subject"), f'{where}: the "subject" of a sample').strip(),
        _text(pair.get("object"), f'{where}: the "object" of a sample').strip(),
    )


def _list(given: dict[str, Any], field: str, where: str) -> list[Any]:
    found = given.get(field, [])
    if not isinstance(found, list):
        raise Mistake(f'{where}: its "{field}" is no list', _REMEDY)
    return cast(list[Any], found)


def _text(given: object, what: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise Mistake(f"{what} is no text", _REMEDY)
    if len(given) > LONGEST:
        raise Mistake(f"{what} has more than {LONGEST:,} characters", "write a shorter one")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in given):
        raise Mistake(f"{what} holds half of a surrogate pair, which is no character", "write the character itself")
    return given
