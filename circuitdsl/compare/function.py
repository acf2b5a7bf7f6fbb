"""What one circuit does for another's task: transfer and dissociation, as jobs for the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from circuitdsl.language.circuit import ALL, Circuit, Circuits, Claim, Comparison, Document, Node, Nodes, Role, Term
from circuitdsl.measures.measurement import Asking, CannotMeasure, Request, combined
from circuitdsl.measures.registry import MEASURES
from circuitdsl.plan.jobs import Job

Align = Iterable[tuple[str, str]]


def function_jobs(document: Document, comparison: Comparison) -> dict[Claim, Job]:
    """The jobs of a comparison's ``transfer`` and ``dissociation`` claims."""
    return {claim: _job(document, comparison, claim) for claim in comparison.claims if claim.term.measure in ESTIMATORS}


def _job(document: Document, comparison: Comparison, claim: Claim) -> Job:
    named = dict(claim.term.arguments)["circuits"]
    assert isinstance(named, Circuits)
    first, second = document.circuit(named.left), document.circuit(named.right)
    pairs = comparison.align
    estimate = ESTIMATORS[claim.term.measure]
    return Job(
        key=(f"{comparison.left} with {comparison.right}", claim.id),
        purpose="claim",
        model=second.model,
        method=second.method,
        start=lambda: estimate(first, second, pairs),
    )


def grafted(source: Circuit, onto: Circuit, align: Align) -> Circuit:
    """``source``'s heads as a circuit for ``onto``'s task, under its method.

    A role that ``align`` pairs with a role of ``onto`` takes that role's positions; any other stands at all positions.
    """
    pairs = tuple(align)
    partner = dict(pairs) | {right: left for left, right in pairs}
    roles = tuple(_placed(role, _positions(onto, partner.get(role.name))) for role in source.roles)
    return replace(onto, name=f"{source.name} on {onto.name}", roles=roles, claims=())


def _positions(circuit: Circuit, role: str | None) -> tuple:
    if role is None or role not in {r.name for r in circuit.roles}:
        return (ALL,)
    return tuple(dict.fromkeys(node.position for node in circuit.role(role).nodes))


def _placed(role: Role, positions: tuple) -> Role:
    components = dict.fromkeys(node.component for node in role.nodes)
    return replace(role, nodes=tuple(Node(c, position) for c in components for position in positions))


def _transfer(source: Circuit, onto: Circuit, align: Align) -> Asking:
    _need_one_model(source, onto)
    request = Request(grafted(source, onto, align), onto.method, Term("faithfulness"))
    return (yield from MEASURES["faithfulness"].estimate(request))


def _dissociation(left: Circuit, right: Circuit, align: Align) -> Asking:
    _need_one_model(left, right)
    left_on_left = yield from _loss(left)
    left_on_right = yield from _loss(grafted(left, right, align))
    right_on_right = yield from _loss(right)
    right_on_left = yield from _loss(grafted(right, left, align))
    ways = {
        f"{left.name} hurts its own task more by": combined([left_on_left, left_on_right], np.subtract),
        f"{right.name} hurts its own task more by": combined([right_on_right, right_on_left], np.subtract),
    }
    return replace(combined(list(ways.values()), np.minimum), parts=tuple(ways.items()))


def _loss(circuit: Circuit) -> Asking:
    """What knocking a whole circuit out costs on its task: -(F ablated - F) / |F|."""
    term = Term("knockout", (("heads", Nodes(circuit.name, circuit.nodes)),))
    knockout = yield from MEASURES["knockout"].estimate(Request(circuit, circuit.method, term, parts=False))
    return replace(knockout, combine=lambda means: -knockout.combine(means))


def _need_one_model(left: Circuit, right: Circuit) -> None:
    if left.model != right.model:
        raise CannotMeasure(
            f"{left.name} is a circuit of {left.model} and {right.name} one of {right.model}: function can be compared "
            "only within one model"
        )


ESTIMATORS: Mapping[str, Callable[[Circuit, Circuit, Align], Asking]] = {
    "transfer": _transfer,
    "dissociation": _dissociation,
}
