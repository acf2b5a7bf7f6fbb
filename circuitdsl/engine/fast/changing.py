"""The plain engine's guard, for all worlds of a batch at once: whether what a world puts in changes anything.

The first edit of a world acts on what the clean run has there. If it makes no difference, the next edit acts on what
the clean run has too, and so on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.masks import laid_out, union
from circuitdsl.engine.fast.region import placed, take
from circuitdsl.engine.guard import no_change

World = TypeVar("World", bound=Hashable)


def changing(
    worlds: Mapping[World, Sequence[Edit]], clean: Mapping[str, Cached], real: Bool[Tensor, "prompts tokens"]
) -> set[World]:
    """The worlds any of whose edits changes the clean run, or that have nowhere to edit. ``real``: no padding."""
    found = {world for world, edits in worlds.items() if not any(edit.mask.any for edit in edits)}
    turn = 0
    while left := {world: edits for world, edits in worlds.items() if world not in found and turn < len(edits)}:
        changed = _changes([edits[turn] for edits in left.values()], clean, real)
        found |= {world for world, so in zip(left, changed, strict=True) if so}
        turn += 1
    return found


def _changes(edits: Sequence[Edit], clean: Mapping[str, Cached], real: Bool[Tensor, "prompts tokens"]) -> list[bool]:
    """Whether each edit makes a difference to what the clean run has where it acts.

    Where edits put in the same, one comparison with the clean run serves them all. All comparisons leave the device
    together.
    """
    alike: dict[Hashable, list[Edit]] = {}
    for edit in edits:
        alike.setdefault(edit if edit.of_pattern else edit.like, []).append(edit)
    compared = [_different(some, clean[some[0].name], real) for some in alike.values()]
    flat = torch.cat([different.flatten() for _, different in compared]).cpu()
    parts = flat.split([different.numel() for _, different in compared])
    changed: dict[Edit, bool] = {}
    for some, (at, different), part in zip(alike.values(), compared, parts, strict=True):
        where = part.reshape(different.shape)
        changed |= {edit: bool((where & laid_out([edit.mask], at)[:, 0]).any()) for edit in some}
    return [changed[edit] for edit in edits]


def _different(
    edits: Sequence[Edit], clean: Cached, real: Bool[Tensor, "prompts tokens"]
) -> tuple[Tensor, Bool[Tensor, "prompts n *columns"]]:
    """The tokens [prompts, n] at which edits that put in the same act, and where what they put in is not what the clean
    run has there: by head, by neuron, or for an MLP as a whole. Of a pattern by head and key."""
    tokens = union((edit.mask for edit in edits), real)
    at = torch.argsort(~tokens, dim=1, stable=True)[:, : int(tokens.sum(1).max())]
    there, edit = placed(at, clean.values.device), edits[0]
    if edit.of_pattern:
        before = clean.whole
        everything = torch.arange(before.shape[-1], device=before.device).expand(len(before), -1)
        after = edit.on(before, everything, everything, torch.ones_like(everything))
        different = _apart(after, before, clean).any(-1, keepdim=True)
        return at, take(different.transpose(1, 2), there)
    before = clean.take(there)[:, None]
    different = _apart(edit.new(before, there), before, clean)[:, 0]
    numbers = edit.mask.single and edit.mask.count > 1  # one a column, which are not to be taken together
    return at, different if numbers else different.any(-1, keepdim=True)


def _apart(after: Tensor, before: Tensor, clean: Cached) -> Bool[Tensor, "*shape"]:
    return (after - before).abs() > no_change(before.dtype) * clean.largest
