"""The search: what moves the logits, then what feeds what was found, stage by stage, until nothing more is found.

Every stage sweeps all heads, MLPs (if they are looked for) and the token embedding at a position into an input, by
path patching, once from each counterfactual. An input is looked into unless all that it receives at the position
together surely has less effect than the floor: one experiment tells. Senders that are surely within the floor on some
of the prompts are measured on no more (``judge.race``), and those that surely do nothing together are not measured one
by one (``packs``). A sender has one p-value for all counterfactuals, and all senders of all inputs of a stage are
corrected for each other. Heads that matter only together enter as one (``groups``); what feeds a role of which no node
entered alone is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from circuitdsl.check.bench import Bench
from circuitdsl.check.work import Watch
from circuitdsl.components import Embed, Head, Mlp, Node, Position, all_heads
from circuitdsl.draft.entry import of_any
from circuitdsl.draft.figures import started
from circuitdsl.draft.groups import Group, groups
from circuitdsl.draft.patching import Packs, Scope, Tried, Way, effect, looks_of, raced, tried_of
from circuitdsl.draft.promised import beside
from circuitdsl.draft.roles import Named, new_roles
from circuitdsl.judge.verdicts import p_value
from circuitdsl.language.circuit import Bound, Circuit, Nodes, Path, Term
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.outcome.draft import LOGITS, DraftRole, Fed, Into, StageOutcome
from circuitdsl.plan.plan import Plan
from circuitdsl.plan.sweep import SweepPlan, plan_terms, reaches

NODES = 150
"""A search ends when it has found more nodes than this."""


@dataclass(frozen=True)
class Stage:
    """What a stage found, and all that it tried, of each sender into each input from every counterfactual, of which
    there are so many ``questions``; ``senders`` counts those that were not measured, too. ``groups`` entered as one."""

    outcome: StageOutcome
    fed: tuple[Fed, ...]
    tried: tuple[tuple[Tried, ...], ...]
    questions: int
    groups: tuple[Group, ...] = ()

    @property
    def senders(self) -> int:
        return self.outcome.senders


@dataclass(frozen=True)
class Found:
    """The stages of a search and the roles of what it found. ``unfinished`` says why it ended early, if it did."""

    stages: tuple[Stage, ...]
    roles: tuple[Named, ...]
    unfinished: str = ""

    @property
    def fed(self) -> tuple[Fed, ...]:
        return tuple(each for stage in self.stages for each in stage.fed)


def search(scope: Scope, bench: Bench, watch: Watch) -> Found:
    """Search backwards from the logits."""
    circuit, most = scope.circuit, scope.stages
    stages: list[Stage] = []
    roles: list[Named] = []
    into: tuple[Into, ...] = (LOGITS,)
    seen: set[object] = set()
    while into:
        if len(stages) == most:
            return Found(tuple(stages), tuple(roles), f"it was to go back {most} stages at most (--stages)")
        known = {each.role.name: each.role for each in roles}
        stage = _stage(len(stages) + 1, into, known, scope, bench, watch)
        stages.append(stage)
        listed = {node for role in known.values() for node in role.nodes}
        new = [each for each in stage.fed if each.sender not in listed]
        taken = (*known, *(position.name for position in circuit.task_info.positions))
        watch.what = f"stage {len(stages)}: what they look at"
        added = new_roles(new, taken, scope.places, circuit, bench) if new else ()
        roles += added
        if sum(len(each.role.nodes) for each in roles) > NODES:
            return Found(tuple(stages), tuple(roles), f"it has found more than {NODES} nodes")
        into = tuple(_new_inputs(followed(roles, stages), seen))
    return Found(tuple(stages), tuple(roles))


def followed(roles: Iterable[Named], stages: Iterable[Stage]) -> list[Named]:
    """The roles whose inputs are looked into: those of which a node entered alone, at whatever stage."""
    alone = {each.sender for stage in stages for each in stage.fed if not each.together}
    return [each for each in roles if not alone.isdisjoint(each.role.nodes)]


def first_stage(circuit: Circuit, mlps: bool, against: Sequence[str]) -> Plan:
    """What the first stage runs at the most, which depends on nothing that was found."""
    ways = [Way(LOGITS, name) for name in against]
    terms = (_sent(way, {}, circuit, mlps) for way in ways)
    return _planned(plan_terms(circuit, terms), ways, {})


def _planned(senders: SweepPlan, ways: Iterable[Way], roles: dict[str, DraftRole]) -> Plan:
    """The most that a stage runs: senders alone, and as one."""
    each = zip(ways, senders.series, strict=True)
    more = (job for way, series in each for job in beside(way, tuple(series.senders), roles, senders.circuit))
    return Plan(sweeps=(senders,), others=tuple(more))


def senders(circuit: Circuit, place: Position, mlps: bool) -> tuple[Node, ...]:
    """All that can send from a position and is looked for: heads, ``mlps``, and the token embedding."""
    geometry = circuit.geometry
    layers = range(geometry.n_layers) if mlps and geometry.d_mlp else ()
    return tuple(Node(each, place) for each in (Embed(), *all_heads(geometry), *map(Mlp, layers)))


def _new_inputs(roles: Sequence[Named], seen: set[object]) -> Iterator[Into]:
    """The inputs of roles that were not looked into before, under whatever name: the key or value that a head has at a
    position is the same for every query, wherever the role stands. They are seen then."""
    for named in roles:
        heads = frozenset(node.component for node in named.role.nodes)
        for each in _inputs(named):
            key = (heads, each.input, each.place)
            if key not in seen:
                seen.add(key)
                yield each


def _inputs(named: Named) -> Iterator[Into]:
    """Every input of a role that may be fed."""
    role = named.role
    own = role.nodes[0].position
    if not isinstance(role.nodes[0].component, Head):
        yield Into(role.name, "", own)
        return
    yield Into(role.name, "q", own)
    yield from (Into(role.name, letter, place) for place in named.reads for letter in "kv")


def _sent(way: Way, roles: dict[str, DraftRole], circuit: Circuit, mlps: bool) -> Term:
    """The effect of everything that is looked for on an input, from where that is read."""
    place = way.into.place or Position(circuit.method.at)
    return effect(way, Nodes(f"all at {place}", senders(circuit, place, mlps)), roles, circuit)


# --- a stage -----------------------------------------------------------------------------------------


def _stage(
    number: int,
    into: Sequence[Into],
    roles: dict[str, DraftRole],
    scope: Scope,
    bench: Bench,
    watch: Watch,
) -> Stage:
    circuit = scope.circuit
    ways = [Way(each, name) for name in scope.against for each in into]
    terms = {each: _reaching(_sent(each, roles, circuit, scope.mlps), circuit) for each in ways}
    terms = {each: term for each, term in terms.items() if term is not None}
    watch.what = f"stage {number}: which inputs to look into"
    idle = _idle(terms, circuit, bench, watch) if number > 1 else ()
    swept = {each: term for each, term in terms.items() if each not in idle}
    plan = plan_terms(circuit, swept.values())
    watch.step(_planned(plan, swept, roles), f"stage {number}: senders together")
    jobs = {
        job: (node, each)
        for each, series in zip(swept, plan.series, strict=True)
        for node, job in series.senders.items()
    }
    packs = Packs({job: ((node,), way) for job, (node, way) in jobs.items()}, roles, scope, bench)
    sizes = packs.sizes() if looks_of(scope, bench)[1] else {}
    together = packs.settled(sizes)
    watch.what = f"stage {number}: senders one by one"
    found = raced([job for job in jobs if job not in together], scope, bench)
    tried = _paired(tried_of(*jobs[job], m, circuit, bench) for job, m in found.items() if isinstance(m, Measurement))
    count = len({(node, way.into) for way, term in terms.items() for node in _nodes(term)})
    alone = tuple(_entered(number, tried, count, scope, bench))
    watch.what = f"stage {number}: heads together"
    entered = {(each.sender, each.into) for each in alone}
    others = {way: [n for n in _nodes(term) if (n, way.into) not in entered] for way, term in swept.items()}
    of_nodes = {jobs[job]: size for job, size in sizes.items()}
    as_one = groups(others, of_nodes, roles, scope, bench) if scope.rule.kind == "fdr" else ()
    fed = (*alone, *_of_groups(number, as_one, count, scope, bench))
    left = {(node, way.into) for job, (node, way) in jobs.items() if job not in together}
    settled = {(jobs[job][0], jobs[job][1].into) for job in together} - left
    looked, inputs = ({way.into: None for way in some} for some in (swept, terms))
    idle_inputs = tuple(each for each in inputs if each not in looked)
    outcome = StageOutcome(tuple(inputs), count, len(alone), len(fed) - len(alone), idle_inputs, len(settled))
    return Stage(outcome, fed, tried, len(scope.against), as_one)


def _paired(tried: Iterable[Tried]) -> tuple[tuple[Tried, ...], ...]:
    """What was tried of each sender and input, in the order of the counterfactuals."""
    pairs: dict[tuple[Node, Into], list[Tried]] = {}
    for one in tried:
        pairs.setdefault((one.sender, one.way.into), []).append(one)
    return tuple(map(tuple, pairs.values()))


def _entered(number: int, tried: Sequence[tuple[Tried, ...]], count: int, scope: Scope, bench: Bench) -> Iterator[Fed]:
    """Those of ``count`` senders of a stage that enter, each from one counterfactual."""
    rule, questions = scope.rule, len(scope.against)
    p_values = [of_any([one.p_value for one in each], questions) for each in tried]
    enters, adjusted = rule.entering(p_values, [max(abs(one.value) for one in each) for each in tried], count)
    surest = max((p for p, enter in zip(p_values, enters, strict=True) if enter and p is not None), default=0.0)
    confidence = _selected(sum(enters), count, scope)
    for each, enter, p in zip(tried, enters, adjusted, strict=True):
        if enter:
            one = stated(each, None if rule.kind == "top" else surest / questions)
            yield Fed(one.sender, *one.way, number, bench.estimate(one.measured, confidence), one.p_value, p)


def _selected(entered: int, count: int, scope: Scope) -> float:
    """The confidence of intervals of so many of ``count`` senders that were selected by a false discovery rate, of each
    of several questions (Benjamini and Yekutieli 2005)."""
    return 1 - (1 - scope.circuit.method.confidence) * max(1, entered) / max(1, count * len(scope.against))


def _of_groups(number: int, as_one: Sequence[Group], count: int, scope: Scope, bench: Bench) -> Iterator[Fed]:
    """The members of groups among ``count`` senders of a stage."""
    confidence = _selected(sum(len(group.members) for group in as_one), count, scope)
    for group in as_one:
        for one in group.members:
            estimate = bench.estimate(one.measured, confidence)
            yield Fed(one.sender, *one.way, number, estimate, one.p_value, group.p_adjusted, together=group.nodes)


def stated(pair: Sequence[Tried], sure: float | None) -> Tried:
    """From which counterfactual a sender is stated that entered: the first whose p-value is ``sure`` or less, so that
    it would have entered by itself; without that, where the largest enter, the one with the largest effect."""
    if sure is None:
        return max(pair, key=lambda one: abs(one.value))
    surest = min(pair, key=lambda one: 1.0 if one.p_value is None else one.p_value)
    return next((one for one in pair if one.p_value is not None and one.p_value <= sure), surest)


def _nodes(term: Term) -> tuple[Node, ...]:
    (_, path), *_ = term.arguments
    assert isinstance(path, Path)
    return path.senders.nodes


def _reaching(term: Term, circuit: Circuit) -> Term | None:
    """The term of those senders that something reads; None without any."""
    (name, path), *rest = term.arguments
    assert isinstance(path, Path)
    nodes = tuple(node for node in path.senders.nodes if reaches(node, path, circuit))
    left = replace(path, senders=replace(path.senders, nodes=nodes))
    return replace(term, arguments=((name, left), *rest)) if nodes else None


def _idle(terms: dict[Way, Term], circuit: Circuit, bench: Bench, watch: Watch) -> tuple[Way, ...]:
    """Inputs that need no look: all senders together change nothing, or surely less than the floor."""
    method = circuit.method
    within = Bound("inside", -method.floor, method.floor)
    jobs = {each: started(term, circuit) for each, term in terms.items()}
    watch.step(Plan(others=tuple(jobs.values())), watch.what)
    found = bench.measure(jobs.values(), method.prompts_first)

    def is_idle(result: Measurement | Failure) -> bool:
        p = 0.0 if isinstance(result, Failure) else p_value(bench.weighed(result), within)
        return p is not None and p <= 1 - method.confidence

    return tuple(each for each, job in jobs.items() if is_idle(found[job]))
