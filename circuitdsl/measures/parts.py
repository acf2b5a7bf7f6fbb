"""Which nodes of a group are measured alone too, for the report."""

from __future__ import annotations

from collections.abc import Iterable

from circuitdsl.components import Node

MOST_SINGLE = 32
"""Of more neurons and features than these none is: a layer has thousands, each of which would be a run."""


def measured_alone(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Those of a group that has several."""
    nodes = tuple(nodes)
    if sum(node.component.single for node in nodes) > MOST_SINGLE:
        nodes = tuple(node for node in nodes if not node.component.single)
    return nodes if len(nodes) > 1 else ()


def guarded_alone(node: Node) -> bool:
    """Whether it is a failure if one of them changes nothing: a neuron or a feature may be silent on all prompts."""
    return not node.component.single
