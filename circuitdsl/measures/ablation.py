"""Measurements that remove a part of the model: knockout, necessity, faithfulness, minimality, completeness."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from circuitdsl.components import Node
from circuitdsl.language.circuit import Circuit, Method, Nodes
from circuitdsl.language.environment import CHANCE, NOT_NEGATIVE, RANDOM_HEADS, SHAM, MeasureInfo, Parameter
from circuitdsl.measures.controls import RANDOM_SETS, SHUFFLES, against_sham, random_nodes
from circuitdsl.measures.estimands import (
    Contrast,
    Dependence,
    Folded,
    Largest,
    Led,
    Limits,
    Mean,
    Ratio,
    average,
    column,
    contrasts_of,
    ratio,
    relative_change,
)
from circuitdsl.measures.experiments import (
    MOST_NATS,
    Ablated,
    Clean,
    Divergence,
    Experiment,
    FromCounterfactual,
    Intervened,
    Sketched,
    Source,
)
from circuitdsl.measures.experiments import SHAM as ANOTHER_PROMPT
from circuitdsl.measures.few import EARLY
from circuitdsl.measures.kept import EDGES, NodesOf, kept
from circuitdsl.measures.measurement import (
    CLEAN,
    Array,
    Asking,
    CannotMeasure,
    Leader,
    Measure,
    Measurement,
    OnFew,
    RandomSets,
    Request,
    Sample,
    Shuffled,
    Stopping,
    joined,
    sample,
)
from circuitdsl.measures.parts import guarded_alone, measured_alone

Columns = Generator[Sequence[Experiment], Mapping[Experiment, Array], dict[str, tuple[Array, Array]]]
"""Part of a measurement at work (``Asking``): in the end it gives two columns [prompts] for each named set."""

Gaps = Generator[Sequence[Experiment], Mapping[Experiment, Array], dict[str, Measurement]]
"""The same, which gives a gap for each named set."""

RANDOM_SUBSETS = 5
GREEDY_STEPS = 5
GREEDY_NOTE = "the greedy set was chosen by the first {} prompts, and its gap is that of the others"


# --- knockout --------------------------------------------------------------------------------------


def _knockout(request: Request) -> Asking:
    """Columns: F ablated, F; with a control, one F ablated more for each random set, or for the sham."""
    nodes = request.argument("heads")
    assert isinstance(nodes, Nodes)
    source = request.source()

    def ablated(some: Iterable[Node]) -> Ablated:
        return Ablated(request.placed(some), source)

    whole, clean = request.ask(ablated(nodes.nodes)), request.ask(Clean())
    alone = measured_alone(nodes.nodes) if request.parts else ()
    singles = {node: request.ask(replace(ablated([node]), guarded=guarded_alone(node))) for node in alone}
    randoms = [request.ask(_unguarded(request, some, source)) for some in _random_sets(request, nodes.nodes)]
    shams = [request.ask(_unguarded(request, nodes.nodes, _ELSEWHERE))] if request.compares_with(SHAM) else []
    results = yield [whole, clean, *singles.values(), *randoms, *shams]
    columns = [results[e] for e in (whole, clean, *randoms, *shams)]
    change = relative_change(request.limits)
    return Measurement(
        (sample(request.data, *columns),),
        Folded(change) if shams else change,
        control=against_sham(change, 2)
        if shams
        else _of_random_sets(request, lambda m: ratio(m[..., 2:] - m[..., 1:2], abs(m[..., 1:2]))),
        parts=tuple(
            (str(node.component), Measurement((sample(request.data, results[e], results[clean]),), change))
            for node, e in singles.items()
        ),
    )


_ELSEWHERE = FromCounterfactual(ANOTHER_PROMPT)


def _unguarded(request: Request, nodes: Iterable[Node], source: Source) -> Ablated:
    """An ablation of a control, which may change nothing."""
    return Ablated(request.placed(nodes), source, guarded=False)


def knocked_out_beyond(request: Request, nodes: Iterable[Node], gone: Iterable[Node]) -> Asking:
    """(F(M \\ (K and v)) - F(M \\ K)) / F(M): what a knockout of nodes v changes where others, K, are gone already.

    Where K is empty it is the knockout effect. Columns: F(M \\ (K and v)), F(M \\ K), F(M).
    """
    source, before, clean = request.source(), frozenset(gone), request.ask(Clean())
    without = request.ask(Ablated(request.placed(before), source)) if before else clean
    both = request.ask(Ablated(request.placed(before | frozenset(nodes)), source))
    results = yield list(dict.fromkeys((both, without, clean)))
    change = Ratio(Contrast(((0, 1.0), (1, -1.0)), request.limits), column(2, request.limits))
    return Measurement((sample(request.data, *(results[e] for e in (both, without, clean))),), change)


def sketched_knockout(request: Request, nodes: Iterable[Node]) -> Asking:
    """A knockout effect to first order. Columns: F ablated, as far as its gradient tells; F."""
    ablated, clean = request.ask(Sketched(request.placed(nodes), request.source())), request.ask(Clean())
    results = yield [ablated, clean]
    return Measurement((sample(request.data, results[ablated], results[clean]),), relative_change())


# --- necessity and independence --------------------------------------------------------------------


def _working(request: Request) -> tuple[Node, ...]:
    """The heads and MLPs of the circuit. Raises CannotMeasure if there are none."""
    nodes = tuple(node for node in request.circuit.nodes if node.component.claims_to_matter)
    if not nodes:
        raise CannotMeasure(f"circuit {request.circuit.name} lists no heads or MLPs that could be knocked out")
    return nodes


def _necessity(request: Request) -> Asking:
    """Columns: F without the circuit, F; with a control, F without each random set."""
    nodes, source = _working(request), request.source()
    without, clean = request.ask(Ablated(request.placed(nodes), source)), request.ask(Clean())
    randoms = [request.ask(_unguarded(request, some, source)) for some in _random_sets(request, nodes)]
    results = yield [without, clean, *randoms]
    columns = [results[e] for e in (without, clean, *randoms)]
    return Measurement(
        (sample(request.data, *columns),),
        Ratio(Contrast(((1, 1.0), (0, -1.0)), request.limits), column(1, request.limits)),
        control=_of_random_sets(request, lambda m: ratio(m[..., 1:2] - m[..., 2:], m[..., 1:2])),
    )


def _dependence(request: Request) -> Asking:
    """Columns: F, F without the circuit."""
    clean, without = request.ask(Clean()), request.ask(Ablated(request.placed(_working(request)), request.source()))
    results = yield [clean, without]
    return Measurement(
        (sample(request.data, results[clean], results[without]),),
        Dependence(column(0, request.limits), column(1, request.limits)),
        control=Shuffled(SHUFFLES, request.method.seed) if request.compares_with(CHANCE) else None,
    )


# --- faithfulness ----------------------------------------------------------------------------------


def _faithfulness(request: Request) -> Asking:
    """Columns: F(C), F(none), F(M); with a control, one F more for each random set."""
    alone = kept(request)
    circuit, nothing, model = (
        request.ask(alone.circuit()),
        request.ask(alone.nothing()),
        request.ask(alone.model()),
    )
    randoms = [request.ask(world) for world in (alone.randoms() if request.control else ())]
    results = yield [circuit, nothing, model, *randoms]
    columns = [results[e] for e in (circuit, nothing, model, *randoms)]
    return Measurement(
        (sample(request.data, *columns),),
        kept_share(request.limits),
        control=_of_random_sets(request, lambda m: ratio(m[..., 3:] - m[..., 1:2], m[..., 2:3] - m[..., 1:2])),
        note=alone.note,
    )


def _isolated(request: Request) -> Asking:
    """Columns: F(K)."""
    nodes = request.argument("heads")
    assert isinstance(nodes, Nodes)
    alone = request.ask(NodesOf(request).only(nodes.nodes))
    results = yield [alone]
    return Measurement((sample(request.data, results[alone]),), request.metric.mean)


def what_it_keeps(request: Request) -> Asking:
    """(F(C) - F(none)) / F(M): the most that a node can add inside the circuit, if no node of it lowers the metric.

    For F(C \\ K) - F(C \\ (K and v)), of which minimality is the size, is at most F(C) - F(none) then. It is a share of
    F(M), as minimality and the floor are, and not of F(M) - F(none), as faithfulness is. Columns: F(C), F(none), F(M).
    """
    alone = kept(request)
    asked = [request.ask(world) for world in (alone.circuit(), alone.nothing(), alone.model())]
    results = yield asked
    share = Ratio(Contrast(((0, 1.0), (1, -1.0)), request.limits), column(2, request.limits))
    return Measurement((sample(request.data, *(results[e] for e in asked)),), share)


def _faithfulness_gap(request: Request) -> Asking:
    alone = kept(request)
    circuit, model = request.ask(alone.circuit()), request.ask(alone.model())
    results = yield [circuit, model]
    gap = Folded(Mean(Contrast(((1, 1.0), (0, -1.0)), request.limits)))
    return Measurement((sample(request.data, results[circuit], results[model]),), gap, note=alone.note)


_NATS = (0.0, MOST_NATS)


def _kl(request: Request) -> Asking:
    """Columns: the divergence under an intervention, whose world is the request's; elsewhere that of the circuit alone
    and, with a control, of each random circuit."""
    if isinstance(request.world, Intervened):
        worlds, note = [request.world], ""
    else:
        alone = kept(request)
        worlds, note = [alone.circuit(), *(alone.randoms() if request.control else ())], alone.note
    asked = [request.ask(world, Divergence()) for world in worlds]
    results = yield asked
    columns = [results[e] for e in asked]
    control = _of_random_sets(request, lambda m: m[..., 1:])
    return Measurement((sample(request.data, *columns),), average(limits=_NATS), control=control, note=note)


def _random_sets(request: Request, nodes: Iterable[Node]) -> tuple[frozenset[Node], ...]:
    if not request.compares_with(RANDOM_HEADS):
        return ()
    return random_nodes(nodes, request.circuit.geometry, request.method.seed)


def _of_random_sets(request: Request, estimates: Callable[[Array], Array]) -> RandomSets | None:
    """The figures of random sets, of a claim that compares with them."""
    return RandomSets(estimates) if request.compares_with(RANDOM_HEADS) else None


def kept_share(limits: Limits | None) -> Ratio:
    """(F(C) - F(none)) / (F(M) - F(none)) for columns F(C), F(none), F(M). F(M) must be above zero."""
    model = column(2, limits)
    return Ratio(Contrast(((0, 1.0), (1, -1.0)), limits), Contrast(((2, 1.0), (1, -1.0)), limits), needs=(model,))


# --- minimality and completeness -------------------------------------------------------------------


def _minimality(request: Request) -> Asking:
    """Columns: F(M), then F(C \\ (K and v)), F(C \\ K) for each K tried."""
    clean, pairs = request.ask(Clean()), _removals(request)
    results = yield [clean, *(e for pair in pairs.values() for e in pair)]
    columns = [results[clean], *(results[e] for pair in pairs.values() for e in pair)]
    adds = Largest(tuple(_added(request, 0, place) for place in range(1, len(columns), 2)))
    measured = sample(request.data, *columns)
    strongest = list(pairs)[_largest(adds, measured)]
    return Measurement(
        (measured,), adds, note=_joined(f"largest without {strongest}" if strongest else "", kept(request).note)
    )


def _leading_minimality(request: Request, few: Measurement) -> Asking:
    """Minimality over the K alone whose figure is largest on a few prompts.

    Columns: F(M), F(C \\ (K and v)), F(C \\ K); then those of the few prompts.
    """
    clean, pairs = request.ask(Clean()), _removals(request)
    assert isinstance(few.estimand, Largest)
    place = _largest(few.estimand, few.samples[0])
    name, pair = list(pairs.items())[place]
    results = yield [clean, *pair]
    own = sample(request.data, *(results[e] for e in (clean, *pair)))
    width = few.samples[0].columns.shape[1]
    others = few.estimand.moved(own.columns.shape[1], width).of
    largest = f"of {len(others)} sets the largest{f', without {name},' if name else ''} on {few.prompts} prompts"
    chosen = f"{largest}, by which alone the others have an upper end"
    return Measurement(
        (own, *few.samples),
        Led((_added(request, 0, 1),), (*others[:place], *others[place + 1 :]), (place,), early=0.5),
        note=_joined(chosen, kept(request).note),
    )


def _one_removal(request: Request) -> tuple[Experiment, ...]:
    """What one K asks for."""
    first, *others = _removals(request).values()
    return (request.ask(Clean()), *first) if others else ()


def _removals(request: Request) -> dict[str, tuple[Experiment, Experiment]]:
    """For each K tried, by name: the circuit without K and the subject, and without K."""
    argument = request.argument("heads")
    assert isinstance(argument, Nodes)
    subject, alone = frozenset(argument.nodes), kept(request)
    return {
        name: (request.ask(alone.circuit(gone | subject)), request.ask(alone.circuit(gone)))
        for name, gone in _companions(request.circuit, subject).items()
    }


def _added(request: Request, clean: int, place: int) -> Folded:
    """What the subject adds, of the columns F(M) and, from ``place`` on, F(C \\ (K and v)), F(C \\ K)."""
    return Folded(Ratio(Contrast(((place, 1.0), (place + 1, -1.0)), request.limits), column(clean, request.limits)))


def _largest(of: Largest, measured: Sample) -> int:
    """Which of several figures is largest, by the mean over prompts."""
    values = [abs(float(each.value(measured.columns.mean(axis=0)))) for each in of.of]
    return max(range(len(values)), key=values.__getitem__)


def _companions(circuit: Circuit, subject: frozenset[Node]) -> dict[str, frozenset[Node]]:
    """The sets K that minimality tries, by name: none, the rest of the subject's own role, each other role."""
    sets = {"": frozenset[Node]()}
    for role in circuit.roles:
        nodes = _removable(role.nodes)
        rest = nodes - subject
        if rest and rest not in sets.values():
            sets[f"the rest of {role.name}" if nodes & subject else role.name] = rest
    return sets


def _completeness(request: Request) -> Asking:
    """Columns: F(C \\ K), F(M \\ K) for each K tried."""
    gaps = yield from _gaps(request, _removed(request))
    (own,), figures = joined(tuple(gaps.values()))
    return Measurement(
        (own,), Largest(figures), parts=_each(gaps), note=_joined(*_of_gaps(gaps, len(gaps)), kept(request).note)
    )


def _given_gaps(request: Request) -> Asking:
    """Completeness over the K that are known beforehand."""
    return _completeness(replace(request, term=replace(request.term, options=())))


def _stopping_completeness(request: Request, few: Measurement, besides: Collection[int]) -> Asking:
    """Completeness over the K whose gap is largest on a few prompts, those at some places besides, and the greedy one.

    Columns: F(C \\ K), F(M \\ K) for each of these; then, where some K stop, for all that are known beforehand, on the
    few prompts.
    """
    removed, largest = _removed(request), few.estimand
    assert isinstance(largest, Largest)
    names = list(removed)
    going = sorted({_largest(largest, few.samples[0]), *besides})
    gaps = yield from _gaps(request, {names[place]: removed[names[place]] for place in going})
    (own,), leaders = joined(tuple(gaps.values()))
    grown = range(len(names), len(names) + len(gaps) - len(going))
    moved = largest.moved(own.columns.shape[1], few.samples[0].columns.shape[1]).of
    others = tuple(each for place, each in enumerate(moved) if place not in going)
    number = len(names) + len(grown)
    stopped = f"{len(others)} of {number} sets are surely within the bound on {few.prompts} prompts"
    notes = [*_of_gaps(gaps, number), f"{stopped}, and were measured on no more" if others else ""]
    known = dict(few.parts) | gaps
    return Measurement(
        (own, *(few.samples if others else ())),
        Led(leaders, others, (*going, *grown), EARLY, stopped=True),
        parts=tuple((name, known[name]) for name in dict.fromkeys((*names, *gaps))),
        note=_joined(*notes, kept(request).note),
    )


def _one_gap(request: Request) -> tuple[Experiment, ...]:
    """What one K asks for."""
    (name, first), *others = _removed(request).items()
    return tuple(next(_without(request, {name: first}))) if others else ()


def _removed(request: Request) -> dict[str, frozenset[Node]]:
    """The K that are known beforehand, by name: the one given, or each role and random halves of the circuit."""
    argument = request.argument("heads")
    if isinstance(argument, Nodes):
        sets = {argument.label: _removable(argument.nodes)}
        if not sets[argument.label]:
            raise CannotMeasure(f"{argument.label} cannot be removed: a circuit keeps its embeddings")
        return sets
    sets = {role.name: _removable(role.nodes) for role in request.circuit.roles} | _random_subsets(request)
    return {name: some for name, some in sets.items() if some} or {"all of it": frozenset(request.circuit.constituents)}


def _gaps(request: Request, removed: Mapping[str, frozenset[Node]]) -> Gaps:
    """The gap for each of these K and, where it is asked for, for a greedy one."""
    columns = yield from _without(request, removed)
    gaps = {name: _gap_of(request, pair) for name, pair in columns.items()}
    if "greedy" not in request.term.options:
        return gaps
    prompts = len(next(iter(columns.values()))[0])
    choosing = choosing_of(request.method, prompts)
    grown = yield from _greedy(request, frozenset(request.circuit.constituents), choosing or prompts)
    return gaps | {name: _gap_of(request, pair, choosing) for name, pair in grown.items()}


def _gap_of(request: Request, pair: tuple[Array, Array], choosing: int = 0) -> Measurement:
    """One gap, of columns F(C \\ K), F(M \\ K), of prompts after the first that it was chosen by."""
    gap = Folded(Mean(Contrast(((0, 1.0), (1, -1.0)), request.limits, choosing)))
    return Measurement((sample(request.data, *pair),), gap)


def _each(gaps: Mapping[str, Measurement]) -> tuple[tuple[str, Measurement], ...]:
    return tuple(gaps.items()) if len(gaps) > 1 else ()


def _of_gaps(gaps: Mapping[str, Measurement], number: int) -> Iterator[str]:
    """What is to be said of some of so many gaps: the largest, and how a greedy set was chosen."""
    chosen = {name: contrasts_of(gap.estimand)[0].chosen for name, gap in gaps.items()}

    def size(name: str) -> float:
        return _gap(*gaps[name].samples[0].columns[chosen[name] :].T)

    if number > 1:
        of_these = "" if len(gaps) == number else f" of the {len(gaps)} on all prompts" if len(gaps) > 1 else ""
        yield f"worst{of_these} without {max(gaps, key=size)}"
    yield from (GREEDY_NOTE.format(choosing) for choosing in chosen.values() if choosing)


def done_outside(request: Request, gone: Iterable[Node]) -> Asking:
    """|(F(C \\ K) - F(C)) - (F(M \\ K) - F(M))| / F(M): by how much more, or less, the circuit changes without K
    than the model does.

    It is what completeness for K has beyond what is off without any K, which faithfulness tells: what is not in the
    circuit does something else where K is gone. Columns: F(C \\ K), F(M \\ K), F(C), F(M).
    """
    alone, removed = kept(request), _removable(gone)
    asked = [request.ask(world) for world in (alone.circuit(removed), alone.model(removed), alone.circuit(), CLEAN)]
    results = yield list(dict.fromkeys(asked))
    apart = Contrast(((0, 1.0), (1, -1.0), (2, -1.0), (3, 1.0)), request.limits)
    columns = sample(request.data, *(results[e] for e in asked))
    return Measurement((columns,), Folded(Ratio(apart, column(3, request.limits))))


def _without(request: Request, sets: Mapping[str, frozenset[Node]], prompts: int = 0) -> Columns:
    """F(C \\ K) and F(M \\ K) for each named K, on the first prompts or, for 0, on all."""
    alone = kept(request)
    asked = {name: (request.ask(alone.circuit(k)), request.ask(alone.model(k))) for name, k in sets.items()}
    experiments = tuple(e for pair in asked.values() for e in pair)
    results = yield OnFew(experiments, prompts) if prompts else experiments
    return {name: (results[c], results[m]) for name, (c, m) in asked.items()}


def choosing_of(method: Method, prompts: int) -> int:
    """By how many of the first of so many prompts a greedy set is chosen, so that the judge can take the others for
    what its gap is (``Contrast.chosen``): half of those that the method begins with.

    They stay the same when more prompts are drawn, and so does the set. Fewer find sets of smaller gaps.
    """
    return min(prompts, method.prompts_first) // 2


def _greedy(request: Request, nodes: frozenset[Node], choosing: int) -> Columns:
    """K grown by the node that widens the gap most on the first prompts (Wang et al. 2022), at most GREEDY_STEPS times,
    and then on all."""
    taken, best = frozenset[Node](), -1.0
    for _ in range(min(GREEDY_STEPS, len(nodes))):
        tries = {str(node): taken | {node} for node in sorted(nodes - taken, key=str)}
        columns = yield from _without(request, tries, choosing)
        sizes = {name: _gap(*(column[:choosing] for column in columns[name])) for name in tries}
        widest = max(sizes, key=sizes.__getitem__)
        if sizes[widest] <= best:
            break
        taken, best = tries[widest], sizes[widest]
    if not taken:
        return {}
    names = ", ".join(sorted(str(node.component) for node in taken))
    return (yield from _without(request, {f"the greedy set {names}": taken}))


def _removable(nodes: Iterable[Node]) -> frozenset[Node]:
    """The nodes without the embeddings, which every circuit keeps."""
    return frozenset(node for node in nodes if node.component.claims_to_matter)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _gap(circuit: Array, model: Array) -> float:
    """Its size."""
    return abs(float(circuit.mean() - model.mean()))


def _random_subsets(request: Request) -> dict[str, frozenset[Node]]:
    from numpy.random import default_rng

    nodes = request.circuit.constituents
    generator = default_rng(request.method.seed)
    draws = generator.random((RANDOM_SUBSETS, len(nodes))) < 0.5
    sets = (frozenset(node for node, kept in zip(nodes, row, strict=True) if kept) for row in draws)
    return {f"random set {i + 1}": some for i, some in enumerate(sets) if some}


_OF_EDGES = (
    "A circuit that states edges and lists no nodes is judged as edges: every input sees the prompt's own "
    "counterfactual, but for what the stated edges carry"
)
_AS_EDGES = (EDGES, "as edges, in a circuit that lists nodes too")

_PART = partial(Parameter, "heads", "heads")

FAITHFULNESS = Measure(
    MeasureInfo(
        "faithfulness",
        "share",
        "(F(C) - F(none)) / (F(M) - F(none)): how much of the metric the circuit keeps when every head at every "
        "position outside it is ablated (MLPs too if the circuit names some). "
        f"{_OF_EDGES}; F(none) is then F on the counterfactual, and `strict` makes no difference. "
        "Compared with `random heads` it must "
        f"be among the best 5% (1 - the method's confidence) of itself and {RANDOM_SETS} random circuits matched by "
        "layer, number and position.",
        "Mueller et al. 2025 (MIB); Wang et al. 2022; Miller et al. 2024 for edges; Shi et al. 2024 for the control",
        options=(_AS_EDGES,),
        places=("circuit",),
        of_metric=True,
        of_whole=True,
        controls=(RANDOM_HEADS,),
    ),
    _faithfulness,
)

MEASURES = (
    Measure(
        MeasureInfo(
            "knockout",
            "share",
            "The nodes' output is ablated as the method says and everything else recomputes: (F ablated - F) / |F|. "
            "Compared with a `sham` the figure is the size of this, beside that of the same nodes with the output that "
            "they have on another prompt of the same kind.",
            "Wang et al. 2022",
            parameters=(_PART("a role, or heads in braces"),),
            places=("circuit",),
            of_metric=True,
            controls=(RANDOM_HEADS, SHAM),
        ),
        _knockout,
    ),
    FAITHFULNESS,
    Measure(
        MeasureInfo(
            "necessity",
            "share",
            "(F(M) - F(M \\ C)) / F(M): how much of the metric the model loses when all heads and MLPs of the circuit "
            "are ablated where they stand, and everything else recomputes. Compared with `random heads` it must be "
            f"among the best 5% (1 - the method's confidence) of itself and {RANDOM_SETS} sets of heads matched by "
            "layer, number and position: what is lost is more than without any as many heads of these layers.",
            "Shi et al. 2024, partial necessity",
            places=("circuit",),
            of_metric=True,
            controls=(RANDOM_HEADS,),
            of_whole=True,
        ),
        _necessity,
    ),
    Measure(
        MeasureInfo(
            "dependence",
            "score",
            "How much F(M \\ C), with all heads and MLPs of the circuit ablated, tells of F(M), prompt by prompt: the "
            "distance correlation of both over prompts, each less its template's mean, 0 where they are independent "
            "and near 1 where one is a linear function of the other. It is the square root of the bias-corrected "
            "squared one, which may fall below zero, and then minus that of its size. A circuit that holds all of "
            "what the model does leaves none. `> chance` says that there is some, so that the circuit misses "
            "something; that there is none is shown by no test, so that independence is claimed with a bound: "
            "`dependence <= 0.3`. The replaced outputs are taken as given.",
            "Szekely and Rizzo 2013 (bias-corrected); Shi et al. 2024 for the question",
            places=("circuit",),
            of_metric=True,
            limits=(-1.0, 1.0),
            controls=(CHANCE,),
            exceeded=(CHANCE,),
            of_whole=True,
        ),
        _dependence,
    ),
    Measure(
        MeasureInfo(
            "faithfulness_gap",
            "metric",
            f"|F(M) - F(C)|, everything outside the circuit ablated, in units of the method's metric. {_OF_EDGES}.",
            "Wang et al. 2022; Miller et al. 2024 for edges",
            options=(_AS_EDGES,),
            places=("circuit",),
            of_metric=True,
            of_whole=True,
            limits=NOT_NEGATIVE,
        ),
        _faithfulness_gap,
    ),
    Measure(
        MeasureInfo(
            "isolated",
            "metric",
            "F(K), the method's metric with the nodes K alone: every head at every position outside K is ablated (MLPs "
            "too if the circuit names some), whatever else the circuit lists. Of growing sets it says what each node "
            "brings where those before it are there. Embeddings are never ablated, so that `isolated(embed)` is "
            "F(none). K has no other nodes that are never ablated (an MLP, where the circuit lists none). Where the "
            "circuit lists features, those of their dictionaries are ablated outside K, and heads only if it lists "
            "some; of a circuit of edges K is kept by its nodes all the same.",
            "Garcia-Carrasco et al. 2024; Wang et al. 2022",
            parameters=(_PART("the nodes K: a role, or nodes in braces"),),
            places=("circuit",),
            of_metric=True,
        ),
        _isolated,
    ),
    Measure(
        MeasureInfo(
            "kl",
            "nats",
            "Kullback-Leibler divergence D(model || changed) of the next-token distribution at END from the model's "
            "own, averaged over prompts. In an intervention the changed model is the one with its actions in force. In "
            f"a circuit it is the circuit alone, everything outside ablated. {_OF_EDGES}. On a prompt it counts as at "
            f"most {MOST_NATS:g}.",
            "Conmy et al. 2023",
            options=(_AS_EDGES,),
            of_whole=True,
            of_circuits=(EDGES,),
            controls=(RANDOM_HEADS,),
            limits=_NATS,
            output=True,
            from_clean=True,
        ),
        _kl,
    ),
    Measure(
        MeasureInfo(
            "minimality",
            "share",
            "The largest |F(C \\ (K and v)) - F(C \\ K)| / |F(M)| over sets K: none, the rest of v's own role, each "
            "other role. What v adds to the circuit where it adds most; every listed head must reach the method's "
            "floor.",
            "Wang et al. 2022",
            parameters=(_PART("the nodes v, usually one head"),),
            places=("circuit",),
            of_metric=True,
            of_whole=True,
            limits=NOT_NEGATIVE,
        ),
        _minimality,
        leader=Leader(_leading_minimality, _one_removal),
    ),
    Measure(
        MeasureInfo(
            "completeness",
            "metric",
            f"The largest |F(C \\ K) - F(M \\ K)| over sets K: each role and {RANDOM_SUBSETS} random halves of the "
            "circuit; or over the one set given. Small where the circuit leaves nothing out. Of a circuit of edges "
            "alone, K are nodes that its edges name: C loses the edges that they send along, and in M their output "
            "is that on the counterfactual.",
            "Wang et al. 2022",
            parameters=(_PART("the one set K to remove, in place of all those", required=False),),
            options=(
                (
                    "greedy",
                    f"try also a set grown node by node for the widest gap, at most {GREEDY_STEPS} nodes",
                ),
            ),
            places=("circuit",),
            of_metric=True,
            of_whole=True,
            limits=NOT_NEGATIVE,
        ),
        _completeness,
        adaptive=frozenset({"greedy"}),
        stopping=Stopping(_given_gaps, _stopping_completeness, _one_gap),
    ),
)
