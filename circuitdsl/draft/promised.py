"""What a stage may run beside each of its senders alone, at the most, for its plan.

Who is packed, and which layers are patched as one, is known only once senders are sized. So a plan has others in their
place that take no less: pairs of senders as packs, of which there are no more (``packs``), each with one of those whose
patches are run through the most layers; and of every layer all heads, and all but one, as a group that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from circuitdsl.components import Node
from circuitdsl.draft.figures import named
from circuitdsl.draft.groups import layers_of
from circuitdsl.draft.patching import Way, effect
from circuitdsl.judge.race import early_looks
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.measurement import Request
from circuitdsl.outcome.draft import DraftRole
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import term_job


def beside(way: Way, senders: Sequence[Node], roles: dict[str, DraftRole], circuit: Circuit) -> Iterator[Started]:
    """What may be run beside the senders of one way, each alone."""
    looks = early_looks(circuit.method.prompts_first)
    layers = list(layers_of(senders))

    def started(about: str, nodes: Sequence[Node], prompts: int) -> Started:
        return Started(_job(about, way, nodes, roles, circuit, prompts))

    for count in looks[:1]:
        yield from (started("packs of senders", pair, count) for pair in _pairs([(sender,) for sender in senders]))
        yield from (started("packs of layers", pair, count) for pair in _pairs(layers))
    for heads in layers:
        yield started("layers", heads, circuit.method.prompts_first)
        yield started("groups", heads[:-1], circuit.method.prompts_first)


def _pairs(some: Sequence[Sequence[Node]]) -> Iterator[Sequence[Node]]:
    """Each of the earlier half with one of the later."""
    ordered = sorted(some, key=lambda nodes: nodes[0].component.layer)
    half = len(ordered) // 2
    yield from ([*one, *other] for one, other in zip(ordered[:half], ordered[half : 2 * half], strict=True))


def _job(about: str, way: Way, nodes: Sequence[Node], roles: dict[str, DraftRole], circuit: Circuit, count: int) -> Job:
    term = effect(way, named(nodes), roles, circuit)
    job = term_job((about, str(term)), "together", Request(circuit, circuit.method, term, parts=False), str(term))
    return replace(job, method=replace(circuit.method, prompts_first=count), raced=True)
