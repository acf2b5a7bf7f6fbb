"""From a term of a claim to its asking: alone, less its value without the intervention, or beside random heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from circuitdsl.components import Node
from circuitdsl.language.circuit import Circuit, Claim, Control, Nodes, Term
from circuitdsl.measures.estimands import difference, mean_of
from circuitdsl.measures.experiments import World
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, Request, joined, together
from circuitdsl.measures.registry import measures
from circuitdsl.plan.job import Job, Lead, Purpose


def control_of(claim: Claim) -> Control | None:
    """The control that a claim compares with, if it is one."""
    return claim.bound if isinstance(claim.bound, Control) else None


def term_job(key: tuple[str, ...], purpose: Purpose, request: Request, about: str) -> Job:
    """The job of a term."""
    circuit, term = request.circuit, request.term
    measure = measures()[term.measure]
    adaptive, leader = not measure.adaptive.isdisjoint(term.options), measure.leader
    lead = (
        None
        if leader is None or term.minus_baseline
        else Lead(partial(leader.asking, request), partial(leader.one, request))
    )
    start = partial(ask, request)
    return Job(key, purpose, circuit.model, request.method, circuit.geometry, start, about, adaptive, lead=lead)


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
    return Measurement(samples, own, control=lambda means: np.stack([each.value(means) for each in others], axis=-1))
