"""From a term of a claim to its asking: alone, less its value without the intervention, or beside random heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from circuitdsl.components import Node
from circuitdsl.language.circuit import Circuit, Claim, Control, Nodes, Term
from circuitdsl.language.environment import RANDOM_EDGES, RANDOM_HEADS
from circuitdsl.measures.controls import RANDOM_SETS
from circuitdsl.measures.estimands import difference, mean_of
from circuitdsl.measures.experiments import Experiment, World
from circuitdsl.measures.few import quarter_of
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, RandomSets, Request, joined, together
from circuitdsl.measures.registry import measures
from circuitdsl.plan.job import OF_EACH, OF_LARGEST, OF_SETS, Job, Lead, Purpose

DISTINCT = 75
"""Of a real set and 99 random ones. Where fewer are different, as where there are 140 or fewer to draw from, one of the
random sets is likely to be the real one, and few prompts do not tell them apart. How many are different does not depend
on which of the hundred is the real one, so that its rank is what it was."""


def control_of(claim: Claim) -> Control | None:
    """The control that a claim compares with, if it is one."""
    return claim.bound if isinstance(claim.bound, Control) else None


def term_job(key: tuple[str, ...], purpose: Purpose, request: Request, about: str) -> Job:
    """The job of a term."""
    circuit, term = request.circuit, request.term
    adaptive = not measures()[term.measure].adaptive.isdisjoint(term.options)
    start, lead = partial(ask, request), _lead(request)
    return Job(key, purpose, circuit.model, request.method, circuit.geometry, start, about, adaptive, lead=lead)


def _lead(request: Request) -> Lead | None:
    """How a term is measured of whose many figures few prompts may tell enough: the largest of several, or random sets
    beside its own."""
    measure = measures()[request.term.measure]
    leader, stopping = measure.leader, measure.stopping
    if request.term.minus_baseline:
        return None
    if request.compares_with(RANDOM_HEADS) or request.compares_with(RANDOM_EDGES):
        twice = 1 - request.method.confidence >= 2 / (1 + RANDOM_SETS)  # a second look may decide, too
        beside = Lead(lambda few, _: beside_few(request, few), partial(_own, request), OF_SETS, DISTINCT)
        return beside if twice else None
    if stopping:
        first = partial(stopping.first, request)
        start, one = partial(stopping.asking, request), partial(stopping.one, request)
        return Lead(start, one, OF_EACH, of=quarter_of, first=first)
    return leader and Lead(lambda few, _: leader.asking(request, few), partial(leader.one, request), OF_LARGEST)


def beside_few(request: Request, few: Measurement) -> Asking:
    """A measurement without its random sets, which, with it, were measured on ``few`` prompts."""
    own = yield from ask(replace(request, control=None))
    (columns,), (first,), control = own.samples, few.samples, few.control
    assert isinstance(control, RandomSets)
    width = columns.columns.shape[1]
    # its own columns are the first of those on few prompts, so that the figure is the same function of either
    beside = control.of_few(few.estimand, width, first.columns.shape[1])
    return replace(own, samples=(columns, first), estimand=few.estimand, control=beside)


def _own(request: Request) -> tuple[Experiment, ...]:
    """What a measurement without its random sets asks for."""
    return tuple(next(ask(replace(request, control=None))))


def knockout_job(key: tuple[str, ...], purpose: Purpose, circuit: Circuit, node: Node) -> Job:
    """The job of one node's knockout effect."""
    return node_job(key, purpose, circuit, node, "knockout")


def node_job(key: tuple[str, ...], purpose: Purpose, circuit: Circuit, node: Node, measure: str) -> Job:
    """The job of a measurement of one node."""
    term = Term(measure, (("heads", Nodes(str(node.component), (node,))),))
    return term_job(key, purpose, Request(circuit, circuit.method, term), str(node))


def ask(request: Request) -> Asking:
    """A term at work, in the request's world."""
    if request.term.minus_baseline:
        return less_baseline(request)
    return measures()[request.term.measure].estimator(request)


def less_baseline(request: Request) -> Asking:
    """A measurement in the request's world less the same in the clean world, on the same prompts."""
    plain = replace(request, term=replace(request.term, minus_baseline=False), parts=False)
    measured = yield from together(map(ask, (plain, replace(plain, world=CLEAN))))
    samples, (after, before) = joined(measured)
    return Measurement(samples, difference(after, before))


def over_random_heads(request: Request, worlds: Sequence[World]) -> Asking:
    """The mean of a measurement over the worlds of random heads, on the same prompts."""
    measured = yield from together(ask(replace(request, world=world)) for world in worlds)
    samples, estimands = joined(measured)
    return Measurement(samples, mean_of(estimands))


def against_random_heads(request: Request, worlds: Sequence[World]) -> Asking:
    """A measurement in the request's world with the same of random heads, on the same prompts."""
    measured = yield from together(ask(replace(request, world=world)) for world in (request.world, *worlds))
    samples, (own, *others) = joined(measured)
    sets = RandomSets(lambda means: np.stack([each.value(means) for each in others], axis=-1))
    return Measurement(samples, own, control=sets)
