"""Which part of a scored graph is the circuit: the highest scores, or those above a threshold, signed or absolute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Literal, TypeVar, get_args

from circuitdsl.arguments import whole
from circuitdsl.errors import InputError, shown
from circuitdsl.exchange.checking import checked
from circuitdsl.exchange.graph import Graph, GraphEdge, GraphNode

By = Literal["absolute", "signed"]

Scored = TypeVar("Scored", GraphEdge, GraphNode)


@checked
def top(graph: Graph, count: int, by: By) -> Graph:
    """The graph with the ``count`` highest scores, and nothing else, in the circuit.

    Edges are chosen where any has a score, else nodes. ``by`` "absolute" goes by the size of a score, "signed" by the
    score itself, the highest first. Of equal scores the first in the file is taken. What has no score is left out.
    Raises InputError where nothing has a score, or fewer than ``count`` have one, and for another ``by``.
    """
    _require_known(by)
    scores = _scores(graph)
    if not whole(1, len(scores))(count):
        raise InputError(f"of {len(scores)} scores there are not {shown(count)} highest", f"ask for 1 to {len(scores)}")
    order = sorted(range(len(scores)), key=lambda number: -_size(scores[number], by))
    chosen = frozenset(order[:count])
    rule = f"the {count} highest of {len(scores)} {_what(graph)} scores, {_rule(by)}"
    return _chosen(graph, lambda number, score: number in chosen, rule)


@checked
def top_share(graph: Graph, share: float, by: By) -> Graph:
    """As :func:`top`, of a share (0 to 1) of what has a score, rounded down."""
    _require_known(by)
    share = _number(share)
    if math.isinf(share):
        raise InputError(f"{share} is no share", "give one up to 100%")
    count = int(share * len(_scores(graph)) + 1e-9)  # 2% of 150 are 3, whatever binary fractions say
    if not 0 < share <= 1 or not count:
        raise InputError(
            f"{100 * share:.6g}% of {len(_scores(graph))} scores cannot be taken",
            "give a share up to 100% that is at least one of them",
        )
    return top(graph, count, by)


@checked
def above(graph: Graph, threshold: float, by: By) -> Graph:
    """The graph with the scores of at least ``threshold``, and nothing else, in the circuit; otherwise as :func:`top`.

    Raises InputError where no score is so high, and as :func:`top`.
    """
    _require_known(by)
    threshold = _number(threshold)
    scores = _scores(graph)
    if not any(_size(score, by) >= threshold for score in scores):
        highest = max(_size(score, by) for score in scores)
        raise InputError(f"no score is at least {threshold:g}, {_rule(by)}", f"the highest is {highest:g}")
    rule = f"{_what(graph)} scores of at least {threshold:g} among {len(scores)}, {_rule(by)}"
    return _chosen(graph, lambda number, score: _size(score, by) >= threshold, rule)


def _require_known(by: By) -> None:
    if by not in get_args(By):
        raise InputError(f"scores do not go by {by!r}", f"by one of: {', '.join(get_args(By))}")


def _number(given: float) -> float:
    try:
        number = float(given) if isinstance(given, Real) and not isinstance(given, bool) else math.nan
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise InputError(f"{shown(given)} is no number", "write one: 0.01")
    return number


def _of_edges(graph: Graph) -> bool:
    return any(edge.score is not None for edge in graph.edges)


def _what(graph: Graph) -> str:
    return "edge" if _of_edges(graph) else "node"


def _rule(by: By) -> str:
    return "by absolute value" if by == "absolute" else "signed"


def _size(score: float, by: By) -> float:
    return abs(score) if by == "absolute" else score


def _scores(graph: Graph) -> list[float]:
    scored: Sequence[GraphEdge | GraphNode] = graph.edges if _of_edges(graph) else graph.nodes
    found = [each.score for each in scored if each.score is not None]
    if not found:
        raise InputError("nothing in this file has a score", "leave out the threshold and the top")
    return found


def _chosen(graph: Graph, holds: Callable[[int, float], bool], rule: str) -> Graph:
    """The graph with what ``holds`` of the number of a score and the score; nodes of its edges with them."""
    origin = f"{graph.origin}: {rule}"
    if not _of_edges(graph):
        return replace(graph, nodes=_marked(graph.nodes, holds), origin=origin)
    edges = _marked(graph.edges, holds)
    joined = replace(graph, edges=edges).joined_nodes()
    nodes = tuple(replace(each, included=each.node in joined) for each in graph.nodes)
    return replace(graph, edges=edges, nodes=nodes, origin=origin)


def _marked(scored: Sequence[Scored], holds: Callable[[int, float], bool]) -> tuple[Scored, ...]:
    marked: list[Scored] = []
    number = 0
    for each in scored:
        included = each.score is not None and holds(number, each.score)
        number += each.score is not None
        marked.append(each if each.included == included else replace(each, included=included))
    return tuple(marked)
