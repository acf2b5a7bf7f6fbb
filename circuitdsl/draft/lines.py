"""What a draft claims: edges sender by sender, edges of whole roles, what names rest on, and the whole.

Bounds come from the intervals on the finding prompts: from the value, three times as far as the interval's end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from circuitdsl.check.bench import Bench
from circuitdsl.components import Node
from circuitdsl.draft.figures import estimates
from circuitdsl.draft.patching import Way, effect
from circuitdsl.draft.roles import Named
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.language.circuit import Circuit, Nodes, Role, Term
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import Performance
from circuitdsl.outcome.draft import DraftRole, Fed, Into, is_lacking
from circuitdsl.report.words import estimate, p_said

ROOM = 3.0
"""How many times as far from the value as the end of its interval a bound is put."""

LEAST = 0.1
"""A share is not claimed to be above less than this."""


@dataclass(frozen=True)
class Line:
    """A claim as it is written, with its evidence. ``fed`` is the sender by which it stands or falls, or all of a group
    that entered as one."""

    text: str
    evidence: str
    fed: tuple[Fed, ...] = ()


@dataclass(frozen=True)
class Sketch:
    """Roles and what their nodes feed."""

    roles: tuple[Named, ...]
    fed: tuple[Fed, ...]

    def without(self, gone: Sequence[Fed]) -> Sketch:
        """The sketch less some senders; a node that feeds nothing then is in no role, and a role of none is not there,
        nor what fed it."""
        left = tuple(each for each in self.fed if each not in gone)
        sending = {each.sender for each in left}
        kept = (
            replace(each, role=replace(each.role, nodes=tuple(n for n in each.role.nodes if n in sending)))
            for each in self.roles
        )
        roles = tuple(each for each in kept if each.role.nodes)
        names = {each.role.name for each in roles}
        orphans = [each for each in left if each.into.role and each.into.role not in names]
        sketch = Sketch(roles, left)
        return sketch.without(orphans) if orphans else sketch

    def circuit(self, of: Circuit) -> Circuit:
        """A circuit with these roles."""
        return replace(of, roles=tuple(Role(each.role.name, each.role.nodes) for each in self.roles))

    def edges(self) -> dict[tuple[str, Into], list[Fed]]:
        """What feeds each input, by the role of the sender; "" for an embedding."""
        role_of = {node: each.role.name for each in self.roles for node in each.role.nodes}
        found: dict[tuple[str, Into], list[Fed]] = {}
        for each in self.fed:
            found.setdefault((role_of.get(each.sender, ""), each.into), []).append(each)
        return found


def edge_lines(sketch: Sketch, circuit: Circuit, bench: Bench) -> dict[Into, list[Line]]:
    """The edges into each input: that of a whole role first, where all of several nodes were found, then each
    sender, and groups last."""
    roles = {each.role.name: each.role for each in sketch.roles}
    edges = sketch.edges()
    whole = {
        key: effect(Way(key[1], fed[0].against), Nodes(key[0], roles[key[0]].nodes), roles, circuit)
        for key, fed in edges.items()
        if key[0]
        and len(fed) == len(roles[key[0]].nodes) > 1
        and len({each.against for each in fed}) == 1
        and set(fed[0].together) != set(roles[key[0]].nodes)  # which as a group has a claim of its own
    }
    figures = dict(zip(whole, estimates(bench, circuit, list(whole.values())), strict=True))
    found: dict[Into, list[Line]] = {}
    for key, fed in edges.items():
        name, into = key
        lines = found.setdefault(into, [])
        own = circuit.method.against
        said = [f"{into}{'' if each.against == own else f' against {each.against}'}" for each in fed]
        if key in figures and (line := _whole_edge(f"edge {name} -> {said[0]}", figures[key], circuit.method.floor)):
            lines.append(line)
        alone = name and len(roles[name].nodes) == 1
        lines += [
            _edge(each, f"edge {name if alone else each.sender} -> {where}")
            for each, where in zip(fed, said, strict=True)
            if not each.together
        ]
    for line in _group_lines(sketch.fed, roles, circuit, bench):
        found[line.fed[0].into].append(line)
    return found


def _edge(fed: Fed, edge: str) -> Line:
    way = "raises" if (fed.estimate.value or 0) < 0 else "lowers"
    return Line(f"{edge} : {way}", f"{estimate(fed.estimate, 'share')}, {_sureness(fed)}", (fed,))


def _sureness(fed: Fed) -> str:
    again = f"again {100 * fed.again:.0f}%, at twice the floor {100 * fed.at_double:.0f}%"
    return f"{p_said(fed.p_adjusted)}; {again}"


def _group_lines(fed: Sequence[Fed], roles: dict[str, DraftRole], circuit: Circuit, bench: Bench) -> Iterator[Line]:
    """What each group does as one. An edge of several senders would be a claim of each."""
    groups: dict[tuple[Into, tuple[Node, ...]], list[Fed]] = {}
    for each in fed:
        if each.together:
            groups.setdefault((each.into, each.together), []).append(each)
    terms = [
        effect(Way(into, members[0].against), Nodes(_braced(nodes), nodes), roles, circuit)
        for (into, nodes), members in groups.items()
    ]
    floor = f"{100 * circuit.method.floor:g}%"
    for term, members, found in zip(terms, groups.values(), estimates(bench, circuit, terms), strict=True):
        bound = f"<= -{floor}" if (found.value or 0) < 0 else f">= {floor}"
        alone = ", ".join(f"{each.sender.component} {estimate(each.estimate, 'share')}" for each in members)
        evidence = f"together {estimate(found, 'share')}, {_sureness(members[0])}; one by one {alone}"
        yield Line(f"expect {term} {bound}", evidence, tuple(members))


def _braced(nodes: Sequence[Node]) -> str:
    """Nodes at one position, as the language writes them."""
    return f"{{ {' '.join(str(node.component) for node in nodes)} }} at {nodes[0].position}"


def _whole_edge(edge: str, found: Estimate, floor: float) -> Line | None:
    """The edge of a role with a bound on its effect, or its direction where no bound beyond the floor leaves room."""
    if found.value is None or found.low is None or found.high is None:
        return None
    said = estimate(found, "share")
    if found.value < 0:
        bound = found.value + ROOM * (found.high - found.value)
        stated = f"<= {math.ceil(100 * bound)}%" if bound <= -0.01 - floor else "raises"
        return Line(f"{edge} : {stated}", said) if found.high < -floor else None
    bound = found.value - ROOM * (found.value - found.low)
    stated = f">= {math.floor(100 * bound)}%" if bound >= 0.01 + floor else "lowers"
    return Line(f"{edge} : {stated}", said) if found.low > floor else None


def behaviour_lines(named: Named, circuit: Circuit, bench: Bench) -> list[Line]:
    """What a role's name rests on, of the nodes that are left in it."""
    nodes = Nodes(named.role.name, named.role.nodes)
    terms = [Term(term.measure, (("heads", nodes), *term.arguments[1:])) for term, _ in named.behaviour]
    return list(_shares(terms, estimates(bench, circuit, terms)))


def whole_lines(kept: Estimate, circuit: Circuit, performance: Performance) -> list[Line]:
    """What the model does, and how much of it the listed nodes keep."""
    metric = circuit.method.measured
    lines: list[Line] = []
    if measure_infos()[metric.measure].unit == "share":
        lines += _shares([metric], [performance.metric])
    elif performance.metric.value is not None and performance.metric.low is not None:
        bound = performance.metric.value - ROOM * (performance.metric.value - performance.metric.low)
        low = math.floor(10 * bound) / 10
        if low > 0:
            lines.append(Line(f"expect {metric} >= {low:g}", estimate(performance.metric, "logits")))
    if metric != Term("accuracy"):
        lines += _shares([Term("accuracy")], [performance.accuracy])
    return [*lines, *_shares([_KEPT], [kept])]


def kept(sketch: Sketch, circuit: Circuit, bench: Bench) -> Estimate:
    """How much of the metric the listed nodes keep; NOTHING without any."""
    return estimates(bench, sketch.circuit(circuit), [_KEPT])[0] if sketch.roles else NOTHING


def lacking(kept: Estimate) -> str:
    """That a circuit is not whole, where that is sure."""
    said = f"not whole: kept alone, what is listed keeps {estimate(kept, 'share')} of the metric"
    return said if is_lacking(kept) else ""


_KEPT = Term("faithfulness")


def _shares(terms: Sequence[Term], found: Sequence[Estimate]) -> Iterator[Line]:
    """Claims that shares are at least so large, of those of which that says something."""
    for term, each in zip(terms, found, strict=True):
        if each.value is None or each.low is None or not math.isfinite(each.low):
            continue
        bound = math.floor(100 * (each.value - ROOM * (each.value - each.low)))
        if bound >= 100 * LEAST:
            yield Line(f"expect {term} >= {bound}%", estimate(each, "share"))
