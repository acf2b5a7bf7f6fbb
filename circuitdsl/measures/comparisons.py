"""Measurements of two circuits: the overlap of their descriptions, and what each does for the other's task.

What of two circuits can be kept or knocked out, and how heads can be ranked for their overlap, is named here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from circuitdsl.components import ALL, Node, Position
from circuitdsl.language.circuit import Circuit, Role, Term
from circuitdsl.language.environment import PROPORTION, RANDOM_HEADS, MeasureInfo, Parameter
from circuitdsl.measures.ablation import FAITHFULNESS
from circuitdsl.measures.controls import RANDOM_SETS, random_nodes
from circuitdsl.measures.estimands import Smallest, Smooth, column, ratio
from circuitdsl.measures.experiments import Ablated
from circuitdsl.measures.measurement import (
    CLEAN,
    Align,
    Array,
    Asking,
    CannotMeasure,
    ComparisonMeasure,
    Measurement,
    PairRequest,
    RandomSets,
    Request,
    sample,
)
from circuitdsl.measures.performance import where_done

Part = Literal["left", "right", "shared", "left only", "right only"]
"""What of two circuits is kept alone or knocked out: one of them, the nodes of both, or those that only one has."""

PARTS: tuple[Part, ...] = ("left", "right", "shared", "left only", "right only")

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")

Kind = Literal["direct", "knockout", "stages"]
"""By which effect heads are ranked for their overlap: that of their path to the logits, of their ablation, or of their
paths to each receiver that the circuit's edges name, which is a stage."""

KINDS: tuple[Kind, ...] = ("direct", "knockout", "stages")


def grafted(source: Circuit, onto: Circuit, align: Align) -> Circuit:
    """``source``'s heads as a circuit for ``onto``'s task, under its method.

    A role that ``align`` pairs with a role of ``onto`` takes that role's positions; any other stands at all positions.
    """
    pairs = tuple(align)
    partner = dict(pairs) | {right: left for left, right in pairs}
    roles = tuple(_placed(role, _positions(onto, partner.get(role.name))) for role in source.roles)
    return replace(onto, name=f"{source.name} on {onto.name}", roles=roles, claims=())


def _positions(circuit: Circuit, role: str | None) -> tuple[Position, ...]:
    if role is None or role not in {r.name for r in circuit.roles}:
        return (ALL,)
    return tuple(dict.fromkeys(node.position for node in circuit.role(role).nodes))


def _placed(role: Role, positions: tuple[Position, ...]) -> Role:
    components = dict.fromkeys(node.component for node in role.nodes)
    return replace(role, nodes=tuple(Node(c, position) for c in components for position in positions))


def _transfer(asked: PairRequest) -> Asking:
    source, onto = asked.first, asked.second
    need_one_model(source, onto)
    request = Request(grafted(source, onto, asked.align), onto.method, Term("faithfulness"))
    return (yield from where_done(FAITHFULNESS.estimator(request), request))


# --- dissociation ----------------------------------------------------------------------------------


class Pair(NamedTuple):
    """The nodes of two circuits as they are knocked out on both tasks: ``left_on_right`` on the right one's task."""

    left_on_left: frozenset[Node]
    right_on_left: frozenset[Node]
    left_on_right: frozenset[Node]
    right_on_right: frozenset[Node]


def dissociation(asked: PairRequest) -> Asking:
    """How much more each circuit's knockout hurts its own task than the other circuit's: the smaller of the two.

    The parts are the two differences. The control is the same figure of pairs of random circuits, each with as many
    heads in each layer as the circuit that it replaces.
    """
    left, right, align, control = asked.first, asked.second, asked.align, asked.control
    need_one_model(left, right)
    randoms = tuple(random_pairs(left, right, align)) if control is not None else ()
    found = ways(left, right, (real_pair(left, right, align), *randoms))
    return (yield from where_done(found, *(Request(each, each.method, _KNOCKOUT) for each in (left, right))))


def real_pair(left: Circuit, right: Circuit, align: Align) -> Pair:
    """The two circuits themselves."""
    nodes = (left.nodes, grafted(right, left, align).nodes, grafted(left, right, align).nodes, right.nodes)
    return Pair(*map(frozenset, nodes))


def random_pairs(left: Circuit, right: Circuit, align: Align) -> Iterator[Pair]:
    """Pairs of random circuits; a head is replaced by the same one on both tasks.

    Raises CannotMeasure if there are none.
    """
    real, shape = real_pair(left, right, align), left.geometry
    ours = (random_nodes(nodes, shape, left.method.seed) for nodes in (real.left_on_left, real.left_on_right))
    theirs = (random_nodes(nodes, shape, left.method.seed + 1) for nodes in (real.right_on_left, real.right_on_right))
    for (our_left, our_right), (their_left, their_right) in zip(
        zip(*ours, strict=True), zip(*theirs, strict=True), strict=True
    ):
        yield Pair(our_left, their_left, our_right, their_right)


def ways(left: Circuit, right: Circuit, pairs: Sequence[Pair]) -> Asking:
    """The dissociation of the first pair, its two ways as the parts; the control is that of all other pairs.

    A way is the left circuit's loss on its own task less its loss on the other task, or the same for the right circuit.
    A loss is (F - F ablated) / |F|.
    """
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

    def all_ways(means: Array) -> Array:
        import numpy as np

        columns = means[..., : 1 + count], means[..., 1 + count : 2 + 2 * count]
        losses = [
            ratio(task[..., :1] - task[..., 1:], abs(task[..., :1])).reshape(*task.shape[:-1], -1, 2)
            for task in columns
        ]
        left_way = losses[0][..., 0] - losses[1][..., 0]
        right_way = losses[1][..., 1] - losses[0][..., 1]
        return np.stack([left_way, right_way], axis=-1)

    samples = (
        sample(on_left.data, results[clean[0]], *(results[e] for four in asked for e in four[:2])),
        sample(on_right.data, results[clean[1]], *(results[e] for four in asked for e in four[2:])),
    )
    performing = column(0, on_left.limits), column(1 + count, on_right.limits)
    each = (
        Smooth(lambda means: all_ways(means)[..., 0, 0], performing),
        Smooth(lambda means: all_ways(means)[..., 0, 1], performing),
    )
    names = (f"{left.name} hurts its own task more by", f"{right.name} hurts its own task more by")
    return Measurement(
        samples,
        Smallest(each),
        control=RandomSets(lambda means: all_ways(means)[..., 1:, :].min(axis=-1)) if len(pairs) > 1 else None,
        parts=tuple((name, Measurement(samples, way)) for name, way in zip(names, each, strict=True)),
    )


_KNOCKOUT = Term("knockout")


def need_one_model(left: Circuit, right: Circuit) -> None:
    """Raise CannotMeasure for circuits of two models."""
    if left.model != right.model:
        raise CannotMeasure(
            f"{left.name} is a circuit of {left.model} and {right.name} one of {right.model}: function can be compared "
            "only within one model"
        )


OVERLAP = MeasureInfo(
    name="overlap",
    unit="share",
    about=(
        "The overlap coefficient: what both circuits have, over what the smaller of them has. It counts heads, nodes "
        "(heads with positions), roles (those with a counterpart by `align`, by name or by the most shared heads) or "
        "edges (between roles, each of q, k and v by itself); `overlap(role ~ role)` counts the heads of one role of "
        "each circuit, as a share of the smaller role. It is a figure about two descriptions and has no sampling "
        "error. `> chance` holds if the p-value is below 1 - confidence, under circuits whose heads are permuted at "
        "random within their layers and take their positions along. An edge that raises the metric in one circuit and "
        "lowers it in the other is not shared."
    ),
    source="Merullo et al. 2024 quote this share; the exact test of heads is hypergeometric, by layer",
    parameters=(Parameter("elements", "elements", "heads, nodes, roles, edges, or two roles as `role ~ role`"),),
    places=("compare",),
    controls=("chance",),
    limits=PROPORTION,
)

TRANSFER = MeasureInfo(
    name="transfer",
    unit="share",
    about=(
        "Cross-task faithfulness: the faithfulness, on the second circuit's task and under its method, of the first "
        "circuit's heads. A role with an aligned role takes that role's positions; the others are kept at all "
        "positions."
    ),
    source="Hanna et al. 2024",
    parameters=(Parameter("circuits", "direction", "circuit whose heads are kept -> circuit whose task is run"),),
    places=("compare",),
)

DISSOCIATION = MeasureInfo(
    name="dissociation",
    unit="share",
    about=(
        "How much more each circuit's knockout hurts its own task than the other one's: the smaller of loss(left on "
        "left) - loss(left on right) and loss(right on right) - loss(right on left), a loss is (F - F ablated) / |F|. "
        "Above zero, both circuits serve their own task: a double dissociation. Compared with `random heads` it must "
        f"be among the best 5% (1 - the method's confidence) of itself and {RANDOM_SETS} pairs of random circuits of "
        "the same size in each layer. Positions as for transfer."
    ),
    source="the double dissociation of neuropsychology; Li & Subramani 2026 for why it matters",
    parameters=(Parameter("circuits", "circuits", "two circuits"),),
    places=("compare",),
    controls=(RANDOM_HEADS,),
)

MEASURES = (
    ComparisonMeasure(OVERLAP),
    ComparisonMeasure(TRANSFER, _transfer),
    ComparisonMeasure(DISSOCIATION, dissociation),
)
