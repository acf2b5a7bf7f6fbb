"""What a draft claims: edges sender by sender, edges of whole roles, what names rest on, and the whole.

Bounds come from the intervals on the finding prompts: from the value, three times as far as the interval's end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from circuitdsl.check.bench import Bench
from circuitdsl.draft.figures import estimates
from circuitdsl.draft.roles import Named
from circuitdsl.draft.search import Way, effect
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.language.circuit import Circuit, Nodes, Role, Term
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import Performance
from circuitdsl.outcome.draft import Fed, Into, is_lacking
from circuitdsl.report.words import estimate, p_said

ROOM = 3.0
"""How many times as far from the value as the end of its interval a bound is put."""

LEAST = 0.1
"""A share is not claimed to be above less than this."""


@dataclass(frozen=True)
class Line:
    """A claim as it is written, with its evidence. ``fed`` is the sender that it is about, if it is about one alone."""

    text: str
    evidence: str
    fed: Fed | None = None


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
    sender."""
    roles = {each.role.name: each.role for each in sketch.roles}
    edges = sketch.edges()
    whole = {
        key: effect(Way(key[1], fed[0].against), Nodes(key[0], roles[key[0]].nodes), roles, circuit)
        for key, fed in edges.items()
        if key[0] and len(fed) == len(roles[key[0]].nodes) > 1 and len({each.against for each in fed}) == 1
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
        ]
    return found


def _edge(fed: Fed, edge: str) -> Line:
    way = "raises" if (fed.estimate.value or 0) < 0 else "lowers"
    p = p_said(fed.p_adjusted)
    again = f"again {100 * fed.again:.0f}%, at twice the floor {100 * fed.at_double:.0f}%"
    evidence = f"{estimate(fed.estimate, 'share')}, {p}; {again}"
    return Line(f"{edge} : {way}", evidence, fed)


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


def whole_lines(sketch: Sketch, circuit: Circuit, performance: Performance, bench: Bench) -> list[Line]:
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
    return [*lines, *_shares([_KEPT], [kept(sketch, circuit, bench)])]


def kept(sketch: Sketch, circuit: Circuit, bench: Bench) -> Estimate:
    """How much of the metric the listed nodes keep; NOTHING without any."""
    return estimates(bench, sketch.circuit(circuit), [_KEPT])[0] if sketch.roles else NOTHING


def lacking(sketch: Sketch, circuit: Circuit, bench: Bench) -> str:
    """That a circuit is not whole, where that is sure."""
    found = kept(sketch, circuit, bench)
    said = f"not whole: kept alone, what is listed keeps {estimate(found, 'share')} of the metric"
    return said if is_lacking(found) else ""


_KEPT = Term("faithfulness")


def _shares(terms: Sequence[Term], found: Sequence[Estimate]) -> Iterator[Line]:
    """Claims that shares are at least so large, of those of which that says something."""
    for term, each in zip(terms, found, strict=True):
        if each.value is None or each.low is None or not math.isfinite(each.low):
            continue
        bound = math.floor(100 * (each.value - ROOM * (each.value - each.low)))
        if bound >= 100 * LEAST:
            yield Line(f"expect {term} >= {bound}%", estimate(each, "share"))
