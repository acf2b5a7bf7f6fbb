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
4. A query that has no such counterfactual is left out, and the report says how many are. Where no query of a wording
   has one in another relation, whose wordings are then not alike, these have no ``other_relation``, and the report says
   so.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from circuitdsl.errors import listed
from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef, UnknownName, VariableInfo
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.facts_queries import (
    ANY,
    Asked,
    Pools,
    Query,
    Wording,
    beginnings,
    other_subjects,
    pools_of,
    reader_of,
    showable,
)
from circuitdsl.tasks.file import text_of
from circuitdsl.tasks.file_lines import Mistake
from circuitdsl.tasks.invented import world
from circuitdsl.tasks.prompts import FirstToken, Prediction, Span, TextPrompt
from circuitdsl.tasks.relations import Fact, Relation, relations_of
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import require_fast

OTHER_SUBJECT, OTHER_RELATION = "other_subject", "other_relation"
MAX_SHOTS = 10
MOST_COMPARED = 2_000_000
"""Pairs of a fact in a wording that is asked in and a relation of the file: in each it is looked for."""


# --- prompts -----------------------------------------------------------------------------------------


def written(query: Query, pools: Pools, rng: random.Random) -> TextPrompt:
    """A prompt of a query, with counterfactuals and demonstrations that are drawn for it.

    What it is about is its subject; where one subject alone is asked for, prompts differ in the other one.
    """
    counted, fact, begins = query.counted, query.fact, pools.begins
    wording = counted.wording
    turned = rng.choice(query.turned)
    other = rng.choice(tuple(other_subjects(counted, fact, turned, begins, pools.shots)))
    shown = rng.sample(tuple(showable(counted, fact, turned, begins, other)), pools.shots) if pools.shots else []
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
    wrong = tuple(_answer(each) for begun, each in objects.items() if begun not in beginnings(fact, begins))
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
        if pools.not_alike:
            wordings = listed((f'"{each[:60]}"' for each in pools.not_alike), 4)
            why = "no wording of another relation has its positions at the same tokens"
            selection.notes += (f"prompts of {wordings} have no {OTHER_RELATION}: {why}",)
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
        if sum(len(each.relation.facts) for each in asked.wordings) * len(asked.relations) > MOST_COMPARED:
            raise UnknownName(
                f"{ref} compares more than {MOST_COMPARED:,} pairs of a fact in a wording and a relation",
                remedy="ask for one relation (relation: NAME), or leave relations, templates or facts out of the file",
            )
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
