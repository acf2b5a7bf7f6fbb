"""Facts: ``The capital of France is``, and the answer is the object that a relation gives the subject.

``task facts`` asks for those of an invented world, which the model ``facts`` was trained on; ``facts("my.jsonl")`` for
those of a file of relations (:mod:`circuitdsl.tasks.relations`), LRE's among them.

1. A prompt is a *wording*, a template of a relation, about a subject: a *query*.
2. Its counterfactuals are other queries, drawn for each prompt: of the same wording about another subject with another
   object (``other_subject``), and about the same subject in a wording of another relation (``other_relation``). They
   have as many tokens, and SUBJECT and RELATION stand at the same ones. What the answer would be if the subject alone,
   or the relation alone, were that of these is the variable's prediction.
3. With ``shots`` other facts in the same wording stand before the query. Then ``other_relation`` has the other
   relation's objects there, too, and about the same subjects. None begins as the answer or as a prediction does.
4. A query that has no such counterfactual is left out, and the report says how many are.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, UnknownName, VariableInfo
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.file import text_of
from circuitdsl.tasks.file_lines import Mistake
from circuitdsl.tasks.invented import world
from circuitdsl.tasks.prompts import FirstToken, Prediction, Span, TextPrompt
from circuitdsl.tasks.relations import SUBJECT, Fact, Relation, relations_of
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import places_of, require_fast, tokens_of

OTHER_SUBJECT, OTHER_RELATION = "other_subject", "other_relation"
MAX_SHOTS = 10


@dataclass(frozen=True)
class Place:
    """How many tokens a sentence has, and at which of them its positions stand, by name."""

    length: int
    at: tuple[tuple[str, int], ...]

    def fits(self, other: Place) -> bool:
        """Whether what stands at a position here stands at the same token there."""
        there = dict(other.at)
        return self.length == other.length and all(there.get(name, index) == index for name, index in self.at)


@dataclass(frozen=True)
class Reader:
    """How sentences are read: where their tokens stand, and with what each object begins, as far as it has tokens."""

    places: Callable[[Sequence[tuple[str, Mapping[str, Span]]]], Iterable[Place]]
    begins: Callable[[Sequence[str]], Mapping[str, object]]


ANY = Reader(
    places=lambda texts: [Place(0, ())] * len(texts),
    begins=lambda objects: {each: each for each in objects},
)
"""Reads sentences as some tokenizer may: all counterparts fit, and no two objects begin alike."""


def reader_of(tokenizer: Any) -> Reader:
    """As one tokenizer reads."""

    def places(texts: Sequence[tuple[str, Mapping[str, Span]]]) -> Iterator[Place]:
        for length, at in places_of(tokenizer, texts):
            yield Place(length, tuple(at.items()))

    def begins(objects: Sequence[str]) -> dict[str, object]:
        before, *found = tokens_of(tokenizer, ["the", *(f"the {each}" for each in objects)])
        return {
            each: tokens[len(before)] for each, tokens in zip(objects, found, strict=True) if len(tokens) > len(before)
        }

    return Reader(places, begins)


@dataclass(frozen=True)
class Wording:
    """A template of a relation, and its place among those that are asked in."""

    relation: Relation
    template: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.relation.name} {self.number}"

    @cached_property
    def frame(self) -> str:
        """The template without what names the relation."""
        start, end = self.relation.named_at(self.template) or (0, 0)
        return f"{self.template[:start]}|{self.template[end:]}"

    def about(self, subject: str) -> str:
        return self.template.replace(SUBJECT, subject)

    def demonstration(self, fact: Fact) -> str:
        """A whole sentence, as it stands before a query."""
        return f"{self.about(fact.subject)} {fact.object}\n"

    def spans(self, subject: str) -> dict[str, Span]:
        """Where the subject stands in the sentence about it, and where the relation is named."""
        start = self.template.index(SUBJECT)
        found = {"SUBJECT": (start, start + len(subject))}
        if named := self.relation.named_at(self.template):
            shift = len(subject) - len(SUBJECT) if named[0] > start else 0
            found["RELATION"] = (named[0] + shift, named[1] + shift)
        return found

    def query(self, fact: Fact) -> tuple[str, dict[str, Span]]:
        """The sentence that asks for a fact, and where its positions stand."""
        return self.about(fact.subject), self.spans(fact.subject)

    def shown(self, fact: Fact) -> tuple[str, dict[str, Span]]:
        """A demonstration of a fact, and where its positions stand."""
        text = self.demonstration(fact)
        return text, self.spans(fact.subject) | {"SHOWN": (len(text) - 1 - len(fact.object), len(text) - 1)}


@dataclass(frozen=True)
class Shown:
    """What a demonstration is about: a fact, and that of another relation about the same subject or else the same one
    again; and how the objects of both begin."""

    mine: Fact
    theirs: Fact
    begun: frozenset[object]


@dataclass(frozen=True)
class Counted:
    """A wording and its facts, by subject and by place, with the place of each one's query and demonstration, how the
    objects of those at a place begin, and what demonstrations may be about."""

    wording: Wording
    facts: Mapping[str, Fact]
    query: Mapping[str, Place]
    demonstration: Mapping[str, Place]
    at_place: Mapping[Place, tuple[Fact, ...]]
    starts_at: Mapping[Place, frozenset[frozenset[object]]]
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Turned:
    """A wording of another relation with its facts, and what demonstrations in both may be about."""

    wording: Wording
    facts: Mapping[str, Fact]
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Query:
    """A fact in a wording, and the other relations that it can be asked in: a :class:`Turned` each, or the one None
    where subjects have one relation alone."""

    counted: Counted
    fact: Fact
    turned: tuple[Turned | None, ...]


@dataclass(frozen=True)
class Pools:
    """The queries of each template as one reader has them, with what each object begins for it, how many demonstrations
    they have, and how many queries are left out."""

    queries: Mapping[str, tuple[Query, ...]]
    begins: Mapping[str, object]
    shots: int = 0
    alone: bool = False  # whether one subject alone is asked for
    left_out: int = 0


@dataclass(frozen=True)
class Asked:
    """What a specification asks for: which of some relations and subjects (all if None), wordings, demonstrations."""

    relations: tuple[Relation, ...]
    only: str | None = None
    subject: str | None = None
    held_out: bool = False
    shots: int = 0

    @property
    def wordings(self) -> tuple[Wording, ...]:
        return tuple(
            each
            for relation in self.relations
            if self.only in (None, relation.name)
            for each in self._every[relation.name]
            if not self.held_out or each.template in relation.held_out
        )

    def asks(self, fact: Fact) -> bool:
        return self.subject in (None, fact.subject)

    def counterparts(self, wording: Wording) -> tuple[Wording, ...]:
        """Wordings of the other relations, of each the most alike: the same but for the relation's name, or else the
        one of the same number, or else any."""
        found: list[Wording] = []
        for relation in self.relations:
            if relation is not wording.relation:
                every = self._every[relation.name]
                same = [each for each in every if each.frame == wording.frame]
                found += same or [each for each in every if each.number == wording.number] or every
        return tuple(found)

    @cached_property
    def _every(self) -> Mapping[str, tuple[Wording, ...]]:
        """What each relation may be asked in, by its name."""
        return {relation.name: self._wordings_of(relation) for relation in self.relations}

    def _wordings_of(self, relation: Relation) -> tuple[Wording, ...]:
        """Also those that are held out where these are asked for, and never else."""
        plain = (*relation.templates, *(relation.held_out if self.held_out else ()))
        templates = relation.demonstrated if self.shots else plain
        return tuple(Wording(relation, template, number) for number, template in enumerate(templates))

    @property
    def turns(self) -> bool:
        """Whether a subject that is asked for has several relations."""
        subjects = {each.name: {fact.subject for fact in each.facts} for each in self.relations}
        mine = {each.relation.name for each in self.wordings}
        return any(subjects[one] & subjects[other] for one in mine for other in subjects if one != other)


# --- what a tokenizer makes of them ------------------------------------------------------------------


def pools_of(asked: Asked, reader: Reader) -> Pools:
    """All queries, as a reader has them."""
    objects = {each for relation in asked.relations for fact in relation.facts for each in fact.objects}
    begins = reader.begins(sorted(objects))
    every = {each.name: each for wording in asked.wordings for each in (wording, *asked.counterparts(wording))}
    counted = {name: _counted(wording, reader, begins, bool(asked.shots)) for name, wording in every.items()}
    queries = {wording.name: tuple(_queries(wording, asked, counted, begins)) for wording in asked.wordings}
    total = sum(map(asked.asks, (fact for wording in asked.wordings for fact in wording.relation.facts)))
    return Pools(queries, begins, asked.shots, asked.subject is not None, total - sum(map(len, queries.values())))


def _counted(wording: Wording, reader: Reader, begins: Mapping[str, object], shown: bool) -> Counted:
    facts = wording.relation.facts
    subjects = [fact.subject for fact in facts]
    query = dict(zip(subjects, reader.places(list(map(wording.query, facts))), strict=True))
    demonstrations = reader.places(list(map(wording.shown, facts))) if shown else ()
    at_place: dict[Place, list[Fact]] = {}
    for fact in facts:
        at_place.setdefault(query[fact.subject], []).append(fact)
    return Counted(
        wording,
        {fact.subject: fact for fact in facts},
        query,
        dict(zip(subjects, demonstrations, strict=False)),
        {place: tuple(found) for place, found in at_place.items()},
        {
            place: frozenset(_begun(fact, begins) for fact in found if fact.object in begins)
            for place, found in at_place.items()
        },
        tuple(_shown(((fact, fact) for fact in facts), begins)) if shown else (),
    )


def _queries(
    wording: Wording, asked: Asked, counted: Mapping[str, Counted], begins: Mapping[str, object]
) -> Iterator[Query]:
    """The queries that have all counterfactuals. ``counted`` is by the names of wordings."""
    mine = counted[wording.name]
    others = [counted[other.name] for other in asked.counterparts(wording)]
    turned = [(other, _turned(mine, other, begins)) for other in others]
    turns = asked.turns
    for subject, fact in mine.facts.items():
        if not asked.asks(fact) or fact.object not in begins:
            continue
        fitting: Iterable[Turned | None] = (None,)
        if turns:
            fitting = (
                each
                for other, each in turned
                if subject in each.facts
                and mine.query[subject].fits(other.query[subject])
                and each.facts[subject].object in begins
                and not _begun(fact, begins) & _begun(each.facts[subject], begins)
            )
        found = tuple(each for each in fitting if _has_others(mine, fact, each, begins, asked.shots))
        if found:
            yield Query(mine, fact, found)


def _turned(one: Counted, other: Counted, begins: Mapping[str, object]) -> Turned:
    pairs = (
        (fact, other.facts[subject])
        for subject, fact in one.facts.items()
        if subject in other.demonstration and one.demonstration[subject].fits(other.demonstration[subject])
    )
    return Turned(other.wording, other.facts, tuple(_shown(pairs, begins)))


def _shown(pairs: Iterable[tuple[Fact, Fact]], begins: Mapping[str, object]) -> Iterator[Shown]:
    for mine, theirs in pairs:
        if mine.object in begins and theirs.object in begins:
            yield Shown(mine, theirs, _begun(mine, begins) | _begun(theirs, begins))


def _begun(fact: Fact, begins: Mapping[str, object]) -> frozenset[object]:
    """How the objects of a fact begin."""
    return frozenset(begins[each] for each in fact.objects if each in begins)


def _has_others(counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int) -> bool:
    """Whether there is a fact that ``other_subject`` may be about. Of those that begin alike one is looked at."""
    may = _may_be_other(counted, fact, turned, begins, shots)
    return any(map(may, counted.starts_at[counted.query[fact.subject]]))


def _others(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int
) -> Iterator[Fact]:
    """The facts that ``other_subject`` may be about."""
    may = _may_be_other(counted, fact, turned, begins, shots)
    for other in counted.at_place[counted.query[fact.subject]]:
        if other.object in begins and may(_begun(other, begins)):
            yield other


def _may_be_other(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int
) -> Callable[[frozenset[object]], bool]:
    """Whether ``other_subject`` may be about a fact whose objects begin so: with another object, and enough others left
    to be shown."""
    right = _begun(fact, begins)
    left = list(_showable(counted, fact, turned, begins)) if shots else []
    starts = Counter(start for each in left for start in each.begun)

    def may(theirs: frozenset[object]) -> bool:
        return not theirs & right and len(left) - sum(starts[start] for start in theirs) >= shots

    return may


def _showable(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], other: Fact | None = None
) -> Iterator[Shown]:
    """What may stand before a query: nothing that gives away its answer or that of a counterfactual."""
    asked = [fact, *([other] if other else ()), *([turned.facts[fact.subject]] if turned else ())]
    away = set[object]().union(*(_begun(each, begins) for each in asked))
    for each in turned.shown if turned else counted.shown:
        if each.begun.isdisjoint(away):
            yield each


# --- prompts -----------------------------------------------------------------------------------------


def written(query: Query, pools: Pools, rng: random.Random) -> TextPrompt:
    """A prompt of a query, with counterfactuals and demonstrations that are drawn for it.

    What it is about is its subject; where one subject alone is asked for, prompts differ in the other one.
    """
    counted, fact, begins = query.counted, query.fact, pools.begins
    wording = counted.wording
    turned = rng.choice(query.turned)
    other = rng.choice(tuple(_others(counted, fact, turned, begins, pools.shots)))
    shown = rng.sample(tuple(_showable(counted, fact, turned, begins, other)), pools.shots) if pools.shots else []
    lead = "".join(wording.demonstration(each.mine) for each in shown)
    counterfactuals = {OTHER_SUBJECT: lead + wording.about(other.subject)}
    predicted = {"subject": Prediction(OTHER_SUBJECT, _answer(other.object))}
    if turned:
        turned_lead = "".join(turned.wording.demonstration(each.theirs) for each in shown)
        counterfactuals[OTHER_RELATION] = turned_lead + turned.wording.about(fact.subject)
        predicted["relation"] = Prediction(OTHER_RELATION, _answer(turned.facts[fact.subject].object))
    right = tuple(map(_answer, dict.fromkeys(each for each in fact.objects if each in begins)))
    known = sorted({each for one in wording.relation.facts for each in one.objects if each in begins})
    objects = {begins[each]: each for each in known}  # of those that begin alike the last
    wrong = tuple(_answer(each) for begun, each in objects.items() if begun not in _begun(fact, begins))
    shift = len(lead)
    spans = {name: ((a + shift, b + shift),) for name, (a, b) in wording.spans(fact.subject).items()}
    return TextPrompt(
        text=lead + wording.about(fact.subject),
        answer=_answer(fact.object),
        right=right if fact.also else (),
        wrong=wrong,
        options=(*right, *wrong),
        spans=spans | _shown_at(wording, [each.mine for each in shown]),
        counterfactuals=counterfactuals,
        template=wording.name,
        item=f"{fact.subject}, {other.subject}" if pools.alone else fact.subject,
        predicted=predicted,
    )


def _answer(thing: str) -> FirstToken:
    return FirstToken(f" {thing}")


def _shown_at(wording: Wording, shown: Sequence[Fact]) -> dict[str, tuple[Span, ...]]:
    """Where the objects of the demonstrations stand."""
    ends: list[Span] = []
    length = 0
    for fact in shown:
        text, spans = wording.shown(fact)
        start, end = spans["SHOWN"]
        ends.append((start + length, end + length))
        length += len(text)
    return {"SHOWN": tuple(ends)} if shown else {}


# --- the task ----------------------------------------------------------------------------------------


def _info(ref: TaskRef, asked: Asked) -> TaskInfo:
    named = all(each.relation.named_at(each.template) for each in asked.wordings)
    turned = [(OTHER_RELATION, "the same subject asked for another relation, with all positions at the same tokens")]
    variables = [
        VariableInfo("subject", "what the fact is about: another one has another object", OTHER_SUBJECT),
        VariableInfo("relation", "which of the subject's objects is asked for", OTHER_RELATION),
    ]
    return TaskInfo(
        name=str(ref),
        about="Facts of a subject, a relation and an object, which is the answer (Yao et al. 2024)",
        positions=(
            *(
                [PositionInfo("SHOWN", "the objects of the demonstrations", many=asked.shots > 1)]
                if asked.shots
                else []
            ),
            PositionInfo("SUBJECT", "the last token of the subject"),
            *([PositionInfo("RELATION", "the word that names the relation")] if named else []),
            PositionInfo("END", "the last token, after which the object is predicted"),
        ),
        counterfactuals=(
            (OTHER_SUBJECT, "the same wording about another subject, with another object"),
            *(turned if asked.turns else ()),
        ),
        default_counterfactual=OTHER_SUBJECT,
        templates=len(asked.wordings),
        variables=tuple(variables if asked.turns else variables[:1]),
    )


def _task(ref: TaskRef, asked: Asked) -> WrittenTask[Pools]:
    names = tuple(each.name for each in asked.wordings)
    typical = pools_of(asked, ANY)
    _refuse_empty(typical, asked)

    def choose(selection: Selection) -> Pools:
        require_fast(selection.tokenizer)
        pools = pools_of(asked, reader_of(selection.tokenizer))
        _refuse_empty(pools, asked)
        if pools.left_out:
            total = pools.left_out + sum(map(len, pools.queries.values()))
            why = "have no counterfactual with all positions at the same tokens for this tokenizer"
            selection.notes += (f"{pools.left_out} of {total} facts in their wordings {why}",)
        return pools

    def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
        return written(rng.choice(pools.queries[template]), pools, rng)

    return WrittenTask(_info(ref, asked), names, typical, choose, draw_text)


def _refuse_empty(pools: Pools, asked: Asked) -> None:
    demonstrated = f" and {asked.shots} others to be shown before it" * bool(asked.shots)
    for wording in asked.wordings:
        if not pools.queries[wording.name]:
            raise TaskError(
                f'no fact of {wording.relation.name} in "{wording.template[:60]}" has counterparts whose positions '
                f"stand at the same tokens{demonstrated}",
                "write the wordings of relations alike, and give more subjects of as many tokens, with other objects",
            )


class _FactsOpener:
    """Opens ``task facts``, of the invented world, and ``task facts("my.jsonl")``, counted from the specification."""

    def __call__(self, ref: TaskRef) -> WrittenTask[Pools]:
        """The task that ``ref`` names. Raises :class:`UnknownName` for other arguments and for files that hold none."""
        given = _arguments(ref)
        asked = Asked(
            _relations(ref, given),
            _word(ref, given, "relation"),
            _word(ref, given, "subject"),
            _word(ref, given, "templates") == "held_out",
            _shots(ref, given),
        )
        known = tuple(each.name for each in asked.relations)
        if asked.only not in (None, *known):
            raise UnknownName(f"there is no relation {asked.only} in {ref}", known=known, remedy=_WRITE)
        if not any(asked.asks(fact) for wording in asked.wordings for fact in wording.relation.facts):
            raise UnknownName(f"{ref} asks for no fact: no such subject, or no such wording", remedy=_WRITE)
        try:
            return _task(ref, asked)
        except TaskError as error:
            raise UnknownName(f"{ref}: {error.message}", remedy=error.remedy) from error

    def files(self, ref: TaskRef) -> tuple[Path, ...]:
        """See :class:`circuitdsl.tasks.ReadsFiles`."""
        name = _arguments(ref).get("")
        return (Path(ref.folder) / str(name),) if name is not None else ()


open_facts = _FactsOpener()

_WRITE = (
    'write: facts, or facts("my.jsonl"); in the brackets relation: NAME, subject: "NAME", shots: 2, templates: held_out'
)


def _arguments(ref: TaskRef) -> dict[str, str | float]:
    given = dict(ref.arguments)
    unknown = [key for key in given if key not in ("", "relation", "subject", "shots", "templates")]
    if unknown or len(given) < len(ref.arguments):
        what = f"no argument called {unknown[0]}" if unknown else "each of its arguments once"
        raise UnknownName(f"the task facts has {what}, but got {ref}", remedy=_WRITE)
    if "shots" in given and "templates" in given:
        raise UnknownName(f"{ref}: with demonstrations there are no wordings that are held out", remedy=_WRITE)
    return given


def _relations(ref: TaskRef, given: Mapping[str, str | float]) -> tuple[Relation, ...]:
    if "" not in given:
        return world()
    name = str(given[""])
    try:
        return relations_of(text_of(Path(ref.folder) / name, name))
    except Mistake as mistake:
        raise UnknownName(f"{name}: {mistake.message}", remedy=mistake.remedy) from mistake


def _word(ref: TaskRef, given: Mapping[str, str | float], name: str) -> str | None:
    value = given.get(name)
    if isinstance(value, float | int) or (name == "templates" and value not in (None, "held_out")):
        raise UnknownName(f"{name} is {value} in {ref}", remedy=_WRITE)
    return value


def _shots(ref: TaskRef, given: Mapping[str, str | float]) -> int:
    value = given.get("shots", 0)
    if isinstance(value, str) or not 0 <= value <= MAX_SHOTS or value != int(value):
        raise UnknownName(f"shots of {ref} is not a whole number from 0 to {MAX_SHOTS}", remedy=_WRITE)
    return int(value)
