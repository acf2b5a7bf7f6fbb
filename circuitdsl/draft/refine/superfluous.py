"""Listed nodes that do nothing where they stand.

They add less than the floor to the circuit, and the model does not change by more without them. Where the circuit is so
far from whole that nothing can be said of what a node adds, only the model can be asked, of nodes that may stand at a
wrong place: it does not change without them, neither as it is nor where a role is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from circuitdsl.check.circuit import too_little_kept
from circuitdsl.components import Node
from circuitdsl.draft.figures import named, score
from circuitdsl.draft.refine.inquiry import Answer, Inquiry, Survey, Test
from circuitdsl.draft.refine.outside import Knockout, knockout_job
from circuitdsl.language.circuit import Bound, Circuit, Term
from circuitdsl.measures.ablation import what_it_keeps
from circuitdsl.measures.measurement import Request
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import term_job


def superfluous(inquiry: Inquiry) -> dict[Node, Answer]:
    """The nodes that can be left out one by one; see :func:`together` for several."""
    return inquiry.ask(Survey("listed nodes that do nothing", _members(inquiry.finding), _does_nothing))


def unneeded(gaps: Sequence[str], inquiry: Inquiry) -> dict[Node, Answer]:
    """The nodes that the model does without, also where one of the roles ``gaps`` is gone."""

    def tests(circuit: Circuit, node: Node) -> tuple[Test, ...]:
        floor = circuit.method.floor
        within = Bound("inside", -floor, floor)
        knockouts = [Knockout(node, gone) for gone in ("", *gaps)]
        return tuple(Test(knockout_job(circuit, each), within, unchanged=0.0) for each in knockouts)

    return inquiry.ask(Survey("listed nodes that the model does without", _members(inquiry.finding), tests))


def together(nodes: Sequence[Node], inquiry: Inquiry) -> tuple[Node, ...]:
    """Those of some nodes, of least effect first, that can be left out all at once."""
    for number in range(len(nodes), 1, -1):
        some = tuple(nodes[:number])
        if inquiry.holds(partial(_adds_little, nodes=some)):
            return some
    return tuple(nodes[:1])


def far_from_whole(inquiry: Inquiry) -> str:
    """Why nothing is said of what single nodes add, where the circuit keeps too little; "" where it keeps enough."""
    circuit, bench = inquiry.finding, inquiry.bench
    members = _members(circuit)
    if not members:
        return ""
    request = Request(circuit, circuit.method, Term("faithfulness"))
    job = Job(("whole",), "whole", circuit.model, circuit.method, circuit.geometry, lambda: what_it_keeps(request))
    started = Started(job)
    measured = bench.measure([started], circuit.method.prompts_first)[started]
    return too_little_kept(measured, len(members), circuit.method, bench)


def _members(circuit: Circuit) -> tuple[Node, ...]:
    """The nodes that roles list; none of a circuit of edges alone."""
    return tuple(node for node in circuit.nodes if node.component.claims_to_matter)


def _does_nothing(circuit: Circuit, node: Node) -> tuple[Test, ...]:
    floor = circuit.method.floor
    return (
        _adds_little(circuit, (node,)),
        Test(_job(circuit, "knockout", (node,)), Bound("inside", -floor, floor), unchanged=0.0),
    )


def _adds_little(circuit: Circuit, nodes: tuple[Node, ...]) -> Test:
    return Test(_job(circuit, "minimality", nodes), Bound("<", high=circuit.method.floor))


def _job(circuit: Circuit, measure: str, nodes: tuple[Node, ...]) -> Job:
    heads = named(nodes)
    request = Request(circuit, circuit.method, score(measure, heads), parts=False)
    return term_job((measure, heads.label), "sweep", request, heads.label)
