"""Facts: ``The capital of France is``, and the answer is the object that a relation gives the subject.

``task facts`` asks for those of an invented world, which the model ``facts`` was trained on; ``facts("my.jsonl")`` for
those of a file of relations (:mod:`circuitdsl.tasks.relations`), LRE's among them.

1. A prompt is a *wording*, a template of a relation, about a subject: a *query*.
2. Its counterfactuals are other queries of as many tokens: of the same wording about another subject with another
   object (``other_subject``), and about the same subject in a wording of another relation (``other_relation``). What
   the answer would be if the subject alone, or the relation alone, were that of these is the variable's prediction.
3. With ``shots`` other facts in the same wording stand before the query. Then ``other_relation`` has the other
   relation's objects there, too, and about the same subjects.
4. A query that has no counterpart of as many tokens is left out, and the report says how many are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, UnknownName, VariableInfo
from circuitdsl.tasks.drawing import ListedTask, Selection
from circuitdsl.tasks.file import text_of
from circuitdsl.tasks.file_lines import Mistake
from circuitdsl.tasks.invented import world
from circuitdsl.tasks.prompts import FirstToken, Prediction, Span, TextPrompt
from circuitdsl.tasks.relations import SUBJECT, Fact, Relation, relations_of
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import require_fast, tokens_of

OTHER_SUBJECT, OTHER_RELATION = "other_subject", "other_relation"
MAX_SHOTS = 10

Measure = Callable[[Sequence[str]], Sequence[Sequence[object]]]
"""The tokens of texts, as one tokenizer has them."""


@dataclass(frozen=True)
class Wording:
    """A template of a relation, and its place among those that are asked in."""

    relation: Relation
    template: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.relation.name} {self.number}"

    @property
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


@dataclass(frozen=True)
class Counted:
    """A wording with, by subject, how many tokens its query and its demonstration have; and its facts by the former."""

    wording: Wording
    facts: Mapping[str, Fact]
    query: Mapping[str, int]
    demonstration: Mapping[str, int]
    of_length: Mapping[int, tuple[Fact, ...]]


@dataclass(frozen=True)
class Turned:
    """The wording of another relation, and facts of as many tokens in both that demonstrations may be about."""

    wording: Wording
    facts: Mapping[str, Fact]
    shown: tuple[tuple[Fact, Fact], ...]


@dataclass(frozen=True)
class Query:
    """A fact in a wording, with facts of as many tokens, among them others than this one, and its other relations."""

    counted: Counted
    fact: Fact
    turned: tuple[Turned, ...]

    @property
    def alike(self) -> tuple[Fact, ...]:
        return self.counted.of_length[self.counted.query[self.fact.subject]]


@dataclass(frozen=True)
class Pools:
    """The queries of each template that one tokenizer reads, the token with which each object begins for it, and how
    many queries are left out."""

    queries: Mapping[str, tuple[Query, ...]]
    begins: Mapping[str, object]
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
            for each in self._every(relation)
            if self.shots or (each.template in relation.held_out) == self.held_out
        )

    def asks(self, fact: Fact) -> bool:
        return self.subject in (None, fact.subject)

    def counterparts(self, wording: Wording) -> tuple[Wording, ...]:
        """Wordings of the other relations, of each the most alike: the same but for the relation's name, or else the
        one of the same number, or else any."""
        found: list[Wording] = []
        for relation in self.relations:
            if relation is not wording.relation:
                every = self._every(relation)
                same = [each for each in every if each.frame == wording.frame]
                found += same or [each for each in every if each.number == wording.number] or every
        return tuple(found)

    def _every(self, relation: Relation) -> tuple[Wording, ...]:
        templates = relation.demonstrated if self.shots else (*relation.templates, *relation.held_out)
        return tuple(Wording(relation, template, number) for number, template in enumerate(templates))

    @property
    def turns(self) -> bool:
        """Whether a subject that is asked for has several relations."""
        subjects = {each.name: {fact.subject for fact in each.facts} for each in self.relations}
        mine = {each.relation.name for each in self.wordings}
        return any(subjects[one] & subjects[other] for one in mine for other in subjects if one != other)


# --- what a tokenizer makes of them ------------------------------------------------------------------


def pools_of(asked: Asked, measure: Measure) -> Pools:
    """All queries, for the tokens that ``measure`` finds."""
    objects = sorted({fact.object for relation in asked.relations for fact in relation.facts})
    before, *found = measure(["the", *(f"the {each}" for each in objects)])
    begins = {
        each: tokens[len(before)] for each, tokens in zip(objects, found, strict=True) if len(tokens) > len(before)
    }
    every = {each for wording in asked.wordings for each in (wording, *asked.counterparts(wording))}
    counted = {wording: _counted(wording, measure, bool(asked.shots)) for wording in every}
    queries = {wording.name: tuple(_queries(wording, asked, counted, begins)) for wording in asked.wordings}
    total = sum(map(asked.asks, (fact for wording in asked.wordings for fact in wording.relation.facts)))
    return Pools(queries, begins, total - sum(map(len, queries.values())))


def _counted(wording: Wording, measure: Measure, shown: bool) -> Counted:
    facts = {fact.subject: fact for fact in wording.relation.facts}
    query = dict(zip(facts, map(len, measure([wording.about(subject) for subject in facts])), strict=True))
    demonstrations = [wording.demonstration(fact) for fact in facts.values()] if shown else []
    of_length: dict[int, tuple[Fact, ...]] = {}
    for subject, length in query.items():
        of_length[length] = (*of_length.get(length, ()), facts[subject])
    return Counted(wording, facts, query, dict(zip(facts, map(len, measure(demonstrations)), strict=False)), of_length)


def _queries(
    wording: Wording, asked: Asked, counted: Mapping[Wording, Counted], begins: Mapping[str, object]
) -> Iterator[Query]:
    """The queries that have all counterfactuals."""
    mine = counted[wording]
    turned = {other: _turned(mine, counted[other]) for other in asked.counterparts(wording)}
    for subject, fact in mine.facts.items():
        if not asked.asks(fact):
            continue
        right = begins.get(fact.object)

        def differs(other: Fact, right: object = right) -> bool:
            return begins.get(other.object, right) != right

        alike = mine.of_length[mine.query[subject]]
        fitting = tuple(
            each
            for other, each in turned.items()
            if len(each.shown) > asked.shots
            and counted[other].query.get(subject) == mine.query[subject]
            and differs(each.facts[subject])
        )
        if any(map(differs, alike)) and (fitting or not asked.turns) and len(mine.facts) > asked.shots:
            yield Query(mine, fact, fitting)


def _turned(one: Counted, other: Counted) -> Turned:
    shown = tuple(
        (fact, other.facts[subject])
        for subject, fact in one.facts.items()
        if subject in other.facts and one.demonstration.get(subject) == other.demonstration.get(subject)
    )
    return Turned(other.wording, other.facts, shown)


# --- prompts -----------------------------------------------------------------------------------------


def written(query: Query, pools: Pools, shots: int, rng: random.Random) -> TextPrompt:
    """The prompt of a query, with counterfactuals and demonstrations that are drawn for it."""
    wording, fact = query.counted.wording, query.fact
    right = pools.begins[fact.object]
    other = rng.choice([each for each in query.alike if pools.begins.get(each.object, right) != right])
    turned = rng.choice(query.turned) if query.turned else None
    pairs = turned.shown if turned else tuple((each, each) for each in query.counted.facts.values())
    shown = rng.sample([pair for pair in pairs if pair[0].subject not in (fact.subject, other.subject)], shots)
    lead = "".join(wording.demonstration(mine) for mine, _ in shown)
    counterfactuals = {OTHER_SUBJECT: lead + wording.about(other.subject)}
    predicted = {"subject": Prediction(OTHER_SUBJECT, _answer(other))}
    if turned:
        turned_lead = "".join(turned.wording.demonstration(theirs) for _, theirs in shown)
        counterfactuals[OTHER_RELATION] = turned_lead + turned.wording.about(fact.subject)
        predicted["relation"] = Prediction(OTHER_RELATION, _answer(turned.facts[fact.subject]))
    objects = {pools.begins[each.object]: each for each in wording.relation.facts if each.object in pools.begins}
    wrong = tuple(_answer(each) for begun, each in sorted(objects.items(), key=str) if begun != right)
    shift = len(lead)
    spans = {name: ((a + shift, b + shift),) for name, (a, b) in wording.spans(fact.subject).items()}
    return TextPrompt(
        text=lead + wording.about(fact.subject),
        answer=_answer(fact),
        wrong=wrong,
        options=(_answer(fact), *wrong),
        spans=spans | _shown_at(wording, [mine for mine, _ in shown]),
        counterfactuals=counterfactuals,
        template=wording.name,
        item=fact.subject,
        predicted=predicted,
    )


def _answer(fact: Fact) -> FirstToken:
    return FirstToken(f" {fact.object}")


def _shown_at(wording: Wording, shown: Sequence[Fact]) -> dict[str, tuple[Span, ...]]:
    """Where the objects of the demonstrations stand."""
    ends: list[Span] = []
    length = 0
    for fact in shown:
        length += len(wording.demonstration(fact))
        ends.append((length - 1 - len(fact.object), length - 1))
    return {"SHOWN": tuple(ends)} if shown else {}


# --- the task ----------------------------------------------------------------------------------------


def _info(ref: TaskRef, asked: Asked, pools: Pools) -> TaskInfo:
    named = all(each.relation.named_at(each.template) for each in asked.wordings)
    turned = [(OTHER_RELATION, "the same subject in the same wording of another relation, and so in demonstrations")]
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
        listed=sum(map(len, pools.queries.values())),
    )


def _task(ref: TaskRef, asked: Asked) -> ListedTask[Pools]:
    names = tuple(each.name for each in asked.wordings)
    typical = pools_of(asked, lambda texts: [re.findall(r"\w+|[^\w\s]|\n", text) for text in texts])
    _refuse_empty(typical, asked)

    def choose(selection: Selection) -> Pools:
        require_fast(selection.tokenizer)
        pools = pools_of(asked, lambda texts: tokens_of(selection.tokenizer, texts))
        _refuse_empty(pools, asked)
        if pools.left_out:
            total = pools.left_out + sum(map(len, pools.queries.values()))
            why = "have no counterfactual of as many tokens for this tokenizer"
            selection.notes += (f"{pools.left_out} of {total} facts in their wordings {why}",)
        return pools

    def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
        return written(rng.choice(pools.queries[template]), pools, asked.shots, rng)

    def list_texts(template: str, pools: Pools) -> Iterator[TextPrompt]:
        for query in pools.queries[template]:
            yield written(query, pools, asked.shots, random.Random(f"{template} {query.fact.subject}"))

    return ListedTask(_info(ref, asked, typical), names, typical, choose, draw_text, listing=list_texts)


def _refuse_empty(pools: Pools, asked: Asked) -> None:
    for wording in asked.wordings:
        if not pools.queries[wording.name]:
            raise TaskError(
                f'no fact of {wording.relation.name} in "{wording.template[:60]}" has counterparts of as many tokens',
                "write the wordings of relations alike, and give at least two subjects of as many tokens",
            )


class _FactsOpener:
    """Opens ``task facts``, of the invented world, and ``task facts("my.jsonl")``, counted from the specification."""

    def __call__(self, ref: TaskRef) -> ListedTask[Pools]:
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
