"""What one circuit does for another's task: transfer and dissociation, as jobs for the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from circuitdsl.language.circuit import (
    ALL,
    Circuit,
    Circuits,
    Claim,
    Comparison,
    Control,
    Document,
    Node,
    Role,
    Term,
)
from circuitdsl.measures.controls import random_nodes
from circuitdsl.measures.experiments import Ablated
from circuitdsl.measures.measurement import (
    CLEAN,
    Array,
    Asking,
    CannotMeasure,
    Measurement,
    Request,
    ratio,
    sample,
)
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
    control = claim.bound if isinstance(claim.bound, Control) else None
    return Job(
        key=(f"{comparison.left} with {comparison.right}", claim.id),
        purpose="claim",
        model=second.model,
        method=second.method,
        geometry=second.geometry,
        start=lambda: estimate(first, second, pairs, control),
        about=claim.text,
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


def _transfer(source: Circuit, onto: Circuit, align: Align, control: Control | None) -> Asking:
    need_one_model(source, onto)
    request = Request(grafted(source, onto, align), onto.method, Term("faithfulness"))
    return (yield from MEASURES["faithfulness"].estimate(request))


# --- dissociation ----------------------------------------------------------------------------------


class Pair(NamedTuple):
    """The nodes of two circuits as they are knocked out on both tasks: ``left_on_right`` on the right one's task."""

    left_on_left: frozenset[Node]
    right_on_left: frozenset[Node]
    left_on_right: frozenset[Node]
    right_on_right: frozenset[Node]


def dissociation(left: Circuit, right: Circuit, align: Align, control: Control | None) -> Asking:
    """How much more each circuit's knockout hurts its own task than the other one's, the smaller way.

    The parts are the two ways. The control is the quantile of the same figure of pairs of random circuits, each with as
    many heads in each layer as the one that it stands for.
    """
    need_one_model(left, right)
    pairs = [real_pair(left, right, align), *(random_pairs(left, right, align) if control is not None else ())]
    both = yield from ways(left, right, pairs)
    level = max(left.method.confidence, right.method.confidence)
    names = (f"{left.name} hurts its own task more by", f"{right.name} hurts its own task more by")
    return replace(
        both,
        combine=lambda means: both.combine(means)[..., 0, :].min(axis=-1),
        control=(lambda means: np.quantile(both.combine(means)[..., 1:, :].min(axis=-1), level, axis=-1))
        if control is not None
        else None,
        parts=tuple((name, replace(both, combine=partial(_way, both, side))) for side, name in enumerate(names)),
    )


def _way(both: Measurement, side: int, means: Array) -> Array:
    return both.combine(means)[..., 0, side]


def real_pair(left: Circuit, right: Circuit, align: Align) -> Pair:
    """The two circuits themselves."""
    nodes = (left.nodes, grafted(right, left, align).nodes, grafted(left, right, align).nodes, right.nodes)
    return Pair(*map(frozenset, nodes))


def random_pairs(left: Circuit, right: Circuit, align: Align) -> Iterator[Pair]:
    """Pairs of random circuits: a head's stand-in is the same on both tasks. Raises CannotMeasure if there are none."""
    real, shape = real_pair(left, right, align), left.geometry
    ours = (random_nodes(nodes, shape, left.method.seed) for nodes in (real.left_on_left, real.left_on_right))
    theirs = (random_nodes(nodes, shape, left.method.seed + 1) for nodes in (real.right_on_left, real.right_on_right))
    for (our_left, our_right), (their_left, their_right) in zip(
        zip(*ours, strict=True), zip(*theirs, strict=True), strict=True
    ):
        yield Pair(our_left, their_left, our_right, their_right)


def ways(left: Circuit, right: Circuit, pairs: Sequence[Pair]) -> Asking:
    """A measurement whose figures are [..., pairs, 2]: the left circuit's loss on its own task less that on the other
    one's, and the same for the right. A loss is (F - F ablated) / |F|."""
    on_left, on_right = Request(left, left.method, _KNOCKOUT), Request(right, right.method, _KNOCKOUT)
    asked = [
        (
            on_left.ask(Ablated(on_left.placed(pair.left_on_left), on_left.source())),
            on_left.ask(Ablated(on_left.placed(pair.right_on_left), on_left.source())),
            on_right.ask(Ablated(on_right.placed(pair.left_on_right), on_right.source())),
            on_right.ask(Ablated(on_right.placed(pair.right_on_right), on_right.source())),
        )
        for pair in pairs
    ]
    clean = on_left.ask(CLEAN), on_right.ask(CLEAN)
    results = yield [*clean, *(experiment for four in asked for experiment in four)]
    count = 2 * len(pairs)

    def figures(means: Array) -> Array:
        columns = means[..., : 1 + count], means[..., 1 + count :]
        losses = [
            ratio(task[..., :1] - task[..., 1:], np.abs(task[..., :1])).reshape(*task.shape[:-1], -1, 2)
            for task in columns
        ]
        left_way = losses[0][..., 0] - losses[1][..., 0]
        right_way = losses[1][..., 1] - losses[0][..., 1]
        return np.stack([left_way, right_way], axis=-1)

    samples = (
        sample(on_left.data, results[clean[0]], *(results[e] for four in asked for e in four[:2])),
        sample(on_right.data, results[clean[1]], *(results[e] for four in asked for e in four[2:])),
    )
    return Measurement(samples, figures)


_KNOCKOUT = Term("knockout")


def need_one_model(left: Circuit, right: Circuit) -> None:
    """Raises CannotMeasure for circuits of two models."""
    if left.model != right.model:
        raise CannotMeasure(
            f"{left.name} is a circuit of {left.model} and {right.name} one of {right.model}: function can be compared "
            "only within one model"
        )


ESTIMATORS: Mapping[str, Callable[[Circuit, Circuit, Align, Control | None], Asking]] = {
    "transfer": _transfer,
    "dissociation": dissociation,
}
