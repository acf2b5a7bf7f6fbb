"""What the worlds of experiments name: components of the model, and actions."""

from __future__ import annotations

from typing import assert_never

from circuitdsl.actions import Action
from circuitdsl.components import Component
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    EdgesKept,
    Intervened,
    Isolated,
    Patched,
    Sketched,
    World,
)


def components(world: World) -> frozenset[Component]:
    """Every component that a world names."""
    match world:
        case Ablated(nodes=nodes) | Sketched(nodes=nodes) | Isolated(kept=nodes):
            return frozenset(node.component for node in nodes)
        case Patched(senders=senders, receivers=receivers, under=under):
            named = frozenset(node.component for node in (*senders, *(node for node, _ in receivers)))
            return named if under is None else named | components(under)
        case Intervened(actions=actions):
            return frozenset(node.component for action in actions for node in action.nodes)
        case EdgesKept(edges=edges):
            ends = (node for edge in edges for node in (edge.sender, edge.receiver))
            return frozenset(node.component for node in ends if node is not None)
        case Clean() | Corrupted():
            return frozenset()
        case _:
            assert_never(world)


def actions_of(world: World) -> tuple[Action, ...]:
    """The actions that are in force in a world."""
    match world:
        case Intervened(actions=actions):
            return actions
        case Patched(under=under):
            return () if under is None else under.actions
        case Ablated() | Sketched() | Isolated() | Clean() | Corrupted() | EdgesKept():
            return ()
        case _:
            assert_never(world)
