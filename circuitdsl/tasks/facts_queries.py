"""The queries of facts: relations, wordings and subjects as a tokenizer reads them, and what is asked in their places.

``facts`` makes prompts of them, and says by which rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from circuitdsl.tasks.prompts import Span
from circuitdsl.tasks.relations import SUBJECT, Fact, Relation
from circuitdsl.tasks.tokenise import places_of, tokens_of


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
    where subjects have one relation alone, or no wording of another relation is alike."""

    counted: Counted
    fact: Fact
    turned: tuple[Turned | None, ...]


@dataclass(frozen=True)
class Pools:
    """The queries of each template as one reader has them, with what each object begins for it, how many demonstrations
    they have, how many queries are left out, and the wordings that have no counterpart in another relation."""

    queries: Mapping[str, tuple[Query, ...]]
    begins: Mapping[str, object]
    shots: int = 0
    alone: bool = False  # whether one subject alone is asked for
    left_out: int = 0
    not_alike: tuple[str, ...] = ()


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


def pools_of(asked: Asked, reader: Reader) -> Pools:
    """All queries, as a reader has them."""
    objects = {each for relation in asked.relations for fact in relation.facts for each in fact.objects}
    begins = reader.begins(sorted(objects))
    every = {each.name: each for wording in asked.wordings for each in (wording, *asked.counterparts(wording))}
    counted = {name: _counted(wording, reader, begins, bool(asked.shots)) for name, wording in every.items()}
    queries = {wording: tuple(_queries(wording, asked, counted, begins, asked.turns)) for wording in asked.wordings}
    not_alike = [wording for wording, found in queries.items() if asked.turns and not found]
    queries |= {wording: tuple(_queries(wording, asked, counted, begins, turns=False)) for wording in not_alike}
    total = sum(map(asked.asks, (fact for wording in asked.wordings for fact in wording.relation.facts)))
    return Pools(
        {wording.name: found for wording, found in queries.items()},
        begins,
        asked.shots,
        asked.subject is not None,
        total - sum(map(len, queries.values())),
        tuple(wording.template for wording in not_alike),
    )


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
            place: frozenset(beginnings(fact, begins) for fact in found if fact.object in begins)
            for place, found in at_place.items()
        },
        tuple(_shown(((fact, fact) for fact in facts), begins)) if shown else (),
    )


def _queries(
    wording: Wording, asked: Asked, counted: Mapping[str, Counted], begins: Mapping[str, object], turns: bool
) -> Iterator[Query]:
    """The queries that have all counterfactuals, one in another relation among them if the wording ``turns``.
    ``counted`` is by the names of wordings."""
    mine = counted[wording.name]
    others = [counted[other.name] for other in asked.counterparts(wording)] if turns else []
    turned = [(other, _turned(mine, other, begins)) for other in others]
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
                and not beginnings(fact, begins) & beginnings(each.facts[subject], begins)
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
            yield Shown(mine, theirs, beginnings(mine, begins) | beginnings(theirs, begins))


def beginnings(fact: Fact, begins: Mapping[str, object]) -> frozenset[object]:
    """How the objects of a fact begin."""
    return frozenset(begins[each] for each in fact.objects if each in begins)


def _has_others(counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int) -> bool:
    """Whether there is a fact that ``other_subject`` may be about. Of those that begin alike one is looked at."""
    may = _may_be_other(counted, fact, turned, begins, shots)
    return any(map(may, counted.starts_at[counted.query[fact.subject]]))


def other_subjects(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int
) -> Iterator[Fact]:
    """The facts that ``other_subject`` may be about."""
    may = _may_be_other(counted, fact, turned, begins, shots)
    for other in counted.at_place[counted.query[fact.subject]]:
        if other.object in begins and may(beginnings(other, begins)):
            yield other


def _may_be_other(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], shots: int
) -> Callable[[frozenset[object]], bool]:
    """Whether ``other_subject`` may be about a fact whose objects begin so: with another object, and enough others left
    to be shown."""
    right = beginnings(fact, begins)
    left = list(showable(counted, fact, turned, begins)) if shots else []
    starts = Counter(start for each in left for start in each.begun)

    def may(theirs: frozenset[object]) -> bool:
        return not theirs & right and len(left) - sum(starts[start] for start in theirs) >= shots

    return may


def showable(
    counted: Counted, fact: Fact, turned: Turned | None, begins: Mapping[str, object], other: Fact | None = None
) -> Iterator[Shown]:
    """What may stand before a query: nothing that gives away its answer or that of a counterfactual."""
    asked = [fact, *([other] if other else ()), *([turned.facts[fact.subject]] if turned else ())]
    away = set[object]().union(*(beginnings(each, begins) for each in asked))
    for each in turned.shown if turned else counted.shown:
        if each.begun.isdisjoint(away):
            yield each
