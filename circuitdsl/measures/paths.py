"""Path patching: effect(senders -> receivers.input)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from circuitdsl.components import Node
from circuitdsl.language.circuit import Path, Receivers
from circuitdsl.language.environment import RANDOM_EDGES, SHAM, MeasureInfo, Parameter
from circuitdsl.measures.controls import against_sham, exchangeable, exchanged, sizes_of, stand_ins
from circuitdsl.measures.estimands import Contrast, Folded, Limits, Ratio, column, relative_change
from circuitdsl.measures.experiments import SHAM as ANOTHER_PROMPT
from circuitdsl.measures.experiments import Corrupted, Intervened, Patched
from circuitdsl.measures.measurement import (
    Array,
    Asking,
    CannotMeasure,
    Measure,
    Measurement,
    Request,
    sample,
)
from circuitdsl.measures.parts import guarded_alone, measured_alone


def _effect(request: Request) -> Asking:
    """Columns: F patched, F of the run that is patched and, for a share of the way to it, F on the counterfactual; with
    a control, F patched by the sham or along each random edge."""
    path = request.argument("path")
    assert isinstance(path, Path)
    against = request.term.named_counterfactual or request.method.against
    if not against:
        raise CannotMeasure("an effect takes activations from a counterfactual and the task has none")
    receivers = _receivers(request, path)
    senders = path.senders.nodes

    under = request.world if isinstance(request.world, Intervened) else None

    def patched(nodes: tuple[Node, ...]) -> Patched:
        return Patched(request.placed(nodes), receivers, against, "strict" in request.term.options, under)

    ways = [way for name, way in _WAYS.items() if name in request.term.options]
    whole = request.ask(patched(senders))
    base = request.ask(request.world)
    corrupted = [request.ask(Corrupted(against))] if ways else []
    alone = _parts(request, senders)
    singles = {node: request.ask(replace(patched((node,)), guarded=guarded_alone(node))) for node in alone}
    others = [request.ask(world) for world in _controls(request, path, patched(senders))]
    results = yield [whole, base, *corrupted, *singles.values(), *others]

    estimand = ways[0](request.limits) if ways else _change(request)
    rest = [results[e] for e in (base, *corrupted)]
    first = 1 + len(rest)
    control = against_sham(estimand, first) if request.compares_with(SHAM) else sizes_of(estimand, first, len(others))
    return Measurement(
        (sample(request.data, results[whole], *rest, *(results[e] for e in others)),),
        Folded(estimand) if others else estimand,
        control=control if others else None,
        parts=tuple(
            (str(node.component), _part(request, results[single], rest, estimand)) for node, single in singles.items()
        ),
    )


def _controls(request: Request, path: Path, world: Patched) -> Iterator[Patched]:
    """The sham of a patch, or random edges in its place: what its claim compares with. They may change nothing."""
    if request.compares_with(SHAM):
        yield replace(world, counterfactual=ANOTHER_PROMPT, guarded=False)
    if request.compares_with(RANDOM_EDGES):
        yield from _random_edges(request, path, world)


def _random_edges(request: Request, path: Path, world: Patched) -> Iterator[Patched]:
    if isinstance(path.receivers, Receivers) and path.receivers.of_group:
        raise CannotMeasure("random edges go into heads' own inputs: compare an edge without `of group` with them")
    ends = (*world.senders, *(node for node, _ in world.receivers))
    components = exchangeable(node.component for node in ends)
    for stand_in in stand_ins(components, request.circuit.geometry, request.method.seed):
        receivers = ((next(exchanged([node], stand_in)), which) for node, which in world.receivers)
        senders = frozenset(exchanged(world.senders, stand_in))
        yield replace(world, senders=senders, receivers=frozenset(receivers), guarded=False)


def _part(request: Request, changed: Array, rest: list[Array], estimand: Ratio) -> Measurement:
    return Measurement((sample(request.data, changed, *rest),), estimand)


def _parts(request: Request, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The senders that are measured alone too, if there are several: not those that no counterfactual changes."""
    return measured_alone(node for node in nodes if not node.component.fixed) if request.parts else ()


def _receivers(request: Request, path: Path) -> frozenset[tuple[Node, str]]:
    if not isinstance(path.receivers, Receivers):
        return frozenset()
    return frozenset((place, each) for node, each in path.receivers.reads() for place in request.placed([node]))


def _change(request: Request) -> Ratio:
    """A share of F, which must be above zero; of |F| under an intervention, which may have turned it."""
    return relative_change(request.limits, either_sign=isinstance(request.world, Intervened))


def _normalised_change(limits: Limits | None) -> Ratio:
    """(F patched - F) / (F - F(counterfactual)) for these columns F patched, F, F(counterfactual)."""
    return Ratio(
        Contrast(((0, 1.0), (1, -1.0)), limits), Contrast(((1, 1.0), (2, -1.0)), limits), needs=(column(1, limits),)
    )


def _recovered_change(limits: Limits | None) -> Ratio:
    """(F patched - F) / (F(counterfactual) - F) for the same columns. The counterfactual is what the model does."""
    return Ratio(
        Contrast(((0, 1.0), (1, -1.0)), limits),
        Contrast(((2, 1.0), (1, -1.0)), limits),
        needs=(column(2, limits),),
        of_counterfactual=True,
    )


_WAYS = {"normalised": _normalised_change, "recovered": _recovered_change}
"""Options that make an effect a share of the way from the prompts to their counterfactuals."""

MEASURES = (
    Measure(
        MeasureInfo(
            "effect",
            "share",
            "Path patching. The senders take their output on the counterfactual; all other heads keep their clean "
            "output while MLPs and norms on the way recompute (`strict`: they keep their clean values); only the named "
            "input of the receivers sees it, or all of their inputs together where none is named, and the receivers "
            "alone are replaced in a clean run. An `edge` is this effect, `edge ... : strict` the strict one. "
            "Where heads share keys and values (grouped queries), `.k` and `.v` are a head's own copy, which no other "
            "head sees, and `.k of group` is that of every head that shares it. "
            "(F patched - F) / |F|, F being the method's metric: negative where the path raises the metric. In an "
            "intervention its actions are in force in all runs but the counterfactual's, other heads keep the output "
            "that they have under it, and F is the metric under it; with `- baseline` each effect is a share of its "
            "own run's |F|. `against NAME` takes another counterfactual of the task than the method's. Compared with "
            "`random edges` or a `sham` the figure is the size of the effect.",
            "Wang et al. 2022; Merullo et al. 2024",
            parameters=(
                Parameter(
                    "path",
                    "path",
                    "senders -> receivers.q, .k, .v, .k of group, .v of group, all inputs (no `.`), or logits",
                ),
            ),
            options=(
                (
                    "strict",
                    "MLPs and norms on the way keep their clean values too: the direct edge alone",
                ),
                ("normalised", "divide by F - F(counterfactual) in place of |F|: -100% takes all away (noising)"),
                (
                    "recovered",
                    "(F patched - F) / (F(counterfactual) - F), for prompts that are the corrupted ones and have the "
                    "clean ones as their counterfactual: 100% brings all of the clean metric back (denoising). "
                    "F(counterfactual) must be above zero and above F; the prompts themselves need no task done",
                ),
            ),
            alternatives=("normalised", "recovered"),
            of_metric=True,
            of_circuits=("normalised", "recovered", RANDOM_EDGES, SHAM),
            controls=(RANDOM_EDGES, SHAM),
        ),
        _effect,
    ),
)
