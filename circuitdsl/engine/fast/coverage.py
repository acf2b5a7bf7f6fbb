"""Which experiments the fast engine runs itself; the plain engine runs the others. No torch: costs depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from circuitdsl.actions import Ablate, Action, Attend, Freeze, Patch, Scale, Swap
from circuitdsl.components import (
    Component,
    Embed,
    ErrorTerm,
    Feature,
    Head,
    Mlp,
    Neuron,
    OfDictionary,
    PosEmbed,
    Residual,
)
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

ACTIONS: tuple[type[Action], ...] = (Attend, Ablate, Patch, Scale, Freeze, Swap)
"""The actions that it does itself. A class derived from one of them may write something else, and is not covered."""

COMPONENTS: tuple[type[Component], ...] = (Head, Mlp, Neuron, Residual, Feature, ErrorTerm, Embed, PosEmbed)
"""The kinds of components that it replaces itself; no kind derived from one of them is covered."""


def covers(experiment: Experiment, network: Network) -> bool:
    """Whether the fast engine runs an experiment on a network itself.

    Attention and copying are not read in isolated circuits or on paths.
    """
    world = experiment.world
    unread = reads_inside(experiment.reading) and isinstance(world, Isolated | Patched)
    return not unread and covers_world(world) and all(_has(network, each) for each in components(world))


def covers_world(world: World) -> bool:
    """Whether the fast engine has all actions and kinds of components that a world names. Runs of edges alone it has
    not."""
    return not declined(world)


def declined(world: World) -> str:
    """For what a world is left to the plain engine; "" if for nothing."""
    if isinstance(world, EdgesKept):
        return "circuits kept by their edges"
    if isinstance(world, Patched) and any(isinstance(action, Swap) for action in actions_of(world)):
        return f"paths under `{Swap.word}`"  # a path is run at its own tokens, and what is swapped stands at others
    actions = (f"`{action.word}`" for action in actions_of(world) if type(action) not in ACTIONS)
    others = (str(component) for component in components(world) if type(component) not in COMPONENTS)
    return min((*actions, *others), default="")


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
    if component.layer >= len(network.blocks):
        return False
    of_mlp = isinstance(component, OfDictionary) and component.dictionary.point == "mlp_out"
    if of_mlp or isinstance(component, Mlp | Neuron):
        return network.blocks[component.layer].mlp is not None
    return not isinstance(component, PosEmbed) or network.positions is not None
