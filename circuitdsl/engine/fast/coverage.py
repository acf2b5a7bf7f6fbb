"""Which experiments the fast engine runs itself; the plain engine runs the others. No torch: costs depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from circuitdsl.actions import Ablate, Action, Attend, Freeze, Patch, Scale
from circuitdsl.components import Component, Embed, Head, Mlp, Neuron, PosEmbed
from circuitdsl.engine.named import actions_of, components
from circuitdsl.measures.experiments import (
    Attention,
    AttentionTo,
    Copying,
    Divergence,
    EdgesKept,
    Experiment,
    HeadScore,
    Hit,
    Isolated,
    Metric,
    Patched,
    Predicted,
    Reading,
    TokenProbability,
    World,
)

if TYPE_CHECKING:
    from circuitdsl.engine.fast.architecture import Network

ACTIONS: tuple[type[Action], ...] = (Attend, Ablate, Patch, Scale, Freeze)
"""The actions that it does itself. A class derived from one of them may write something else, and is not covered."""

COMPONENTS: tuple[type[Component], ...] = (Head, Mlp, Neuron, Embed, PosEmbed)
"""The kinds of components that it replaces itself; no kind derived from one of them is covered."""

KEPT: tuple[type[Component], ...] = (Head, Mlp, Embed, PosEmbed)
"""The kinds that an isolated circuit may keep."""


def covers(experiment: Experiment, network: Network) -> bool:
    """Whether the fast engine runs an experiment on a network itself.

    Attention and copying are not read in isolated circuits or on paths.
    """
    world = experiment.world
    unread = reads_inside(experiment.reading) and isinstance(world, Isolated | Patched)
    return not unread and covers_world(world) and all(_has(network, each) for each in components(world))


def covers_world(world: World) -> bool:
    """Whether the fast engine has all actions and kinds of components that a world names. Runs of edges alone and
    features of dictionaries it has not."""
    if isinstance(world, EdgesKept):
        return False
    if isinstance(world, Isolated) and world.features:
        return False
    actions_covered = all(type(action) in ACTIONS for action in actions_of(world))
    known = KEPT if isinstance(world, Isolated) else COMPONENTS
    return actions_covered and all(type(component) in known for component in components(world))


def reads_inside(reading: Reading) -> bool:
    """Whether a reading is of something else than the logits."""
    match reading:
        case Attention() | AttentionTo() | HeadScore() | Copying():
            return True
        case Metric() | Hit() | Predicted() | Divergence() | TokenProbability():
            return False
        case _:
            assert_never(reading)


def _has(network: Network, component: Component) -> bool:
    """Whether the network has a component of the covered kinds."""
    if isinstance(component, Mlp | Neuron):
        return network.blocks[component.layer].mlp is not None
    return not isinstance(component, PosEmbed) or network.positions is not None
