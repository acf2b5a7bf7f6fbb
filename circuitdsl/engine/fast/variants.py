"""Runs with edits, of which many stand side by side: what each is, and which run together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.edits import Edit, first_step
from circuitdsl.engine.fast.hook_points import first_layer, layer_of
from circuitdsl.measures.experiments import Ablated, Intervened, Isolated, Patched

Edited = Ablated | Isolated | Patched | Intervened
"""A world that edits a run of the prompts themselves."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A run with some edits over this batch, and the worlds that it answers: one, or several whose edits differ only
    where that has no effect on what is read.

    ``led``: of a path, the prompts in which it may lead from an edit to a receiver; None: all of them.
    """

    worlds: tuple[Edited, ...]
    edits: tuple[Edit, ...]
    led: Bool[Tensor, " prompts"] | None = None

    @property
    def world(self) -> Edited:
        return self.worlds[0]


def by_tokens(
    tokens: Mapping[Variant, Bool[Tensor, "prompts tokens"]],
) -> list[tuple[Bool[Tensor, "prompts tokens"], list[Variant]]]:
    """Variants in groups that run over the same tokens, ``tokens`` being those that each needs: over
    others sums would be made in another order."""
    groups: dict[bytes, tuple[Tensor, list[Variant]]] = {}
    for variant, mask in tokens.items():
        groups.setdefault(mask.numpy().tobytes(), (mask, []))[1].append(variant)
    return list(groups.values())


def features_of(variant: Variant) -> int:
    """Of the largest dictionary that its world names or replaces, which says how many make a stack."""
    return max((each.n_features for each in hook_names.dictionaries([variant.world])), default=0)


def moving(variants: Iterable[Variant]) -> bool:
    """Whether what any of them puts in passes at other tokens."""
    return any(edit.moves for variant in variants for edit in variant.edits)


def first_layer_of(variant: Variant) -> int:
    return first_layer(first_step(variant.edits))


def kept_by_layer(variant: Variant) -> list[list[str]]:
    """Orders isolated worlds so that those which keep the same in early layers, where they share rows, run together."""
    assert isinstance(variant.world, Isolated)
    layers: dict[int, list[str]] = {}
    for node in variant.world.kept:
        layers.setdefault(layer_of(node.component.output), []).append(str(node))
    return [sorted(layers.get(layer, ())) for layer in range(max(layers, default=-1) + 1)]
