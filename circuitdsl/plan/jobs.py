"""What a document asks to be measured: one job a claim, a variant of a claim, or a row of the heads table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from circuitdsl.language.circuit import (
    ALL,
    Circuit,
    Claim,
    Control,
    Head,
    Intervention,
    Method,
    Node,
    Nodes,
    Term,
)
from circuitdsl.language.environment import RANDOM_HEADS, Geometry
from circuitdsl.measures.controls import quantile_of
from circuitdsl.measures.experiments import World
from circuitdsl.measures.measurement import CLEAN, Asking, Request, combined, together
from circuitdsl.measures.registry import MEASURES
from circuitdsl.plan.worlds import intervened, random_worlds

Purpose = Literal["claim", "variant", "head", "unlisted", "arms"]
"""What a measurement is for: a claim, a claim under another method, a row of the table of heads, the search for heads
that are not listed, or an intervention taken apart."""


@dataclass(frozen=True)
class Job:
    """One measurement to be made. ``start`` gives a fresh asking; ``key`` tells jobs of one call apart.

    ``about`` says what is measured, for a person: a claim as it is written, a head.
    """

    key: tuple[str, ...]
    purpose: Purpose
    model: str
    method: Method
    geometry: Geometry
    start: Callable[[], Asking]
    about: str = ""
    adaptive: bool = False

    @property
    def round(self) -> Round:
        """The round that its first questions are part of."""
        return Round(
            self.model,
            self.method.processing,
            self.method.prompts_first,
            self.key[0] if self.purpose == "unlisted" else "",
        )


class Round(NamedTuple):
    """What an engine is given at once: the first questions of all jobs about one model and as many prompts.

    Each circuit's search for heads that matter and are not listed comes by itself, after what is claimed; ``search``
    names that circuit.
    """

    model: str
    processing: str
    prompts: int
    search: str


def claim_job(owner: str, circuit: Circuit, claim: Claim) -> Job:
    """The job of a circuit's claim under the circuit's own method."""
    request = Request(circuit, circuit.method, claim.term, _control(claim))
    return _job((owner, claim.id), "claim", request, claim.text)


def variant_jobs(owner: str, circuit: Circuit, claim: Claim) -> tuple[Job, ...]:
    """The jobs that judge a claim again under each setting that the method says to ``vary``."""
    return tuple(
        _job(
            (owner, claim.id, setting, value),
            "variant",
            Request(circuit, varied(circuit.method, setting, value), claim.term, _control(claim), parts=False),
            f"{claim.text}  # {setting} {value}",
        )
        for setting, value in circuit.method.vary
    )


def varied(method: Method, setting: str, value: str) -> Method:
    """The method with one setting changed."""
    changes: Mapping[str, Any] = {setting: value}
    return replace(method, **changes)


def head_jobs(owner: str, circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect of every listed node where the circuit has it."""
    return {
        node: _knockout_job((owner, "head", str(node)), "head", circuit, node)
        for node in circuit.nodes
        if isinstance(node.component, Head)
    }


def unlisted_jobs(owner: str, circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect, at every position, of every head that the circuit does not list."""
    listed = set(circuit.heads)
    heads = (
        Head(layer, index) for layer in range(circuit.geometry.n_layers) for index in range(circuit.geometry.n_heads)
    )
    nodes = [Node(head, ALL) for head in heads if head not in listed]
    return {node: _knockout_job((owner, "unlisted", str(node)), "unlisted", circuit, node) for node in nodes}


def intervention_jobs(owner: str, intervention: Intervention, circuit: Circuit) -> Mapping[Claim, Job]:
    """The claims of an intervention, measured with the actions in force."""
    return {claim: _intervention_job(owner, intervention, circuit, claim) for claim in intervention.claims}


def _intervention_job(owner: str, intervention: Intervention, circuit: Circuit, claim: Claim) -> Job:
    request = Request(circuit, circuit.method, claim.term, _control(claim))
    job = _job((owner, claim.id), "claim", request, claim.text)

    def start() -> Asking:  # the worlds are made here, so that one that cannot be had is the claim's error
        if RANDOM_HEADS in claim.term.options:
            return over_random_heads(request, tuple(random_worlds(intervention, circuit)))
        own = replace(request, world=intervened(intervention.actions, circuit.method))
        if request.control is None:
            return _estimate(own)
        return against_random_heads(own, tuple(random_worlds(intervention, circuit)))

    return replace(job, start=start)


def _control(claim: Claim) -> Control | None:
    return claim.bound if isinstance(claim.bound, Control) else None


def _knockout_job(key: tuple[str, ...], purpose: Purpose, circuit: Circuit, node: Node) -> Job:
    term = Term("knockout", (("heads", Nodes(str(node.component), (node,))),))
    return _job(key, purpose, Request(circuit, circuit.method, term), str(node))


def _job(key: tuple[str, ...], purpose: Purpose, request: Request, about: str) -> Job:
    circuit, term = request.circuit, request.term
    adaptive = not MEASURES[term.measure].adaptive.isdisjoint(term.options)
    return Job(
        key, purpose, circuit.model, request.method, circuit.geometry, lambda: _estimate(request), about, adaptive
    )


def _estimate(request: Request) -> Asking:
    if request.term.minus_baseline:
        return less_baseline(request)
    return MEASURES[request.term.measure].estimate(request)


def less_baseline(request: Request) -> Asking:
    """A measurement in the request's world less the same in the clean world, on the same prompts."""
    plain = replace(request, term=replace(request.term, minus_baseline=False), parts=False)
    after, before = yield from together(map(_estimate, (plain, replace(plain, world=CLEAN))))
    return combined([after, before], lambda intervened, clean: intervened - clean)


def over_random_heads(request: Request, worlds: Sequence[World]) -> Asking:
    """The mean of a measurement over the worlds of random heads, on the same prompts."""
    measured = yield from together(_estimate(replace(request, world=world)) for world in worlds)
    return combined(measured, lambda *figures: np.mean(figures, axis=0))


def against_random_heads(request: Request, worlds: Sequence[World]) -> Asking:
    """A measurement in the request's world with the bound that random heads set it, on the same prompts."""
    assert request.control is not None
    measured = yield from together(_estimate(replace(request, world=world)) for world in (request.world, *worlds))
    others = combined(measured, lambda _, *figures: np.stack(figures, axis=-1))
    bound = quantile_of(request.control, request.method, others.combine)
    return replace(combined(measured, lambda own, *_: own), control=bound)
