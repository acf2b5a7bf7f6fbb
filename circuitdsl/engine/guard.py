"""The guard against patches that do nothing: what counts as no change, and what is said of a world without any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from circuitdsl.components import Node
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
from circuitdsl.measures.measurement import Failure

if TYPE_CHECKING:
    import torch

NO_CHANGE = 1e-6
"""A difference of less than this share of what is replaced is rounding, not a change, however fine the precision."""


def no_change(dtype: torch.dtype) -> float:
    """The share of the largest value at a hook point below which a difference is rounding in this precision.

    At least the distance from one to the next number: in bfloat16 that is 2^-7.
    """
    import torch

    return max(NO_CHANGE, torch.finfo(dtype).eps)


def is_guarded(world: World) -> bool:
    """Whether it is a failure if a world changes nothing: not where nothing is done, and not of controls."""
    match world:
        case Patched(guarded=guarded) | Ablated(guarded=guarded):
            return guarded
        case Isolated() | Intervened() | EdgesKept():
            return True
        case Clean() | Corrupted() | Sketched():
            return False
        case _:
            assert_never(world)


def unguarded(world: World) -> World | None:
    """The same where to change nothing is no failure; None for worlds that are guarded in any case."""
    return replace(world, guarded=False) if isinstance(world, Patched | Ablated) else None


def unchanged(world: World) -> Failure:
    """The failure of a world whose patch changed nothing on any prompt."""
    return Failure(_nothing_changed(world), "unchanged")


def _nothing_changed(world: World) -> str:
    match world:
        case Patched(senders=nodes) | Ablated(nodes=nodes) if all(node.component.fixed for node in nodes):
            return (
                f"the patch changed nothing: {_names(nodes)} gives the same output on all prompts of one length, and a "
                "counterfactual has the length of its prompt: leave it out, or name `embed`; `ablate zero` removes it"
            )
        case Patched(senders=senders, counterfactual=counterfactual):
            return (
                f"the patch changed nothing: {_names(senders)} gives the same output on every prompt and on its "
                f"counterfactual {counterfactual}; choose another counterfactual with `against`"
            )
        case Ablated(nodes=nodes):
            return f"the patch changed nothing: {_names(nodes)} already gives the ablated output"
        case EdgesKept(counterfactual=counterfactual):
            return f"nothing was replaced: every prompt is its own counterfactual {counterfactual}"
        case Isolated() | Intervened() | Clean() | Corrupted() | Sketched():
            return "the patch changed nothing on any prompt"
        case _:
            assert_never(world)


def _names(nodes: Iterable[Node]) -> str:
    return ", ".join(sorted(map(str, nodes)))
