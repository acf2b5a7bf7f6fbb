"""The ways of path patching: which receivers one frozen pass leads to, from which tokens, and what arrives there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool
from torch import Tensor

from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.hook_points import after_all, heads_lead_to, last_step_to, layer_of, step_of
from circuitdsl.engine.fast.masks import Mask, union
from circuitdsl.engine.fast.variants import Edited, Variant
from circuitdsl.engine.fast.worlds import touched


@dataclass(frozen=True, eq=False)
class Way:
    """Receivers' inputs by hook point that one frozen pass leads to, at the tokens ``received``, from edits in no later
    step than the ``last``. ``heads``: the layer whose heads compute again on the way, if any."""

    inputs: Mapping[str, Mask]
    heads: int | None
    received: Bool[Tensor, "prompts tokens"]
    last: int

    @cached_property
    def reached(self) -> Bool[Tensor, "prompts tokens"]:
        """The tokens from which it may lead there: through heads all up to the last one."""
        return self.received if self.heads is None else self.received.flip(1).cumsum(1).flip(1) > 0

    def tokens(self, sent: Bool[Tensor, "prompts tokens"]) -> Bool[Tensor, "prompts tokens"]:
        """Those that the pass runs: heads that compute again bring along what was sent."""
        return self.received if self.heads is None else self.received | sent


def ways_to(inputs: Mapping[str, Mask], batch: Batch, layers: int) -> list[Way]:
    """The ways to receivers, of which each takes a pass of its own."""
    found: dict[int | None, dict[str, Mask]] = {}
    for name, mask in inputs.items():
        found.setdefault(layer_of(name) if heads_lead_to(name) else None, {})[name] = mask
    end = torch.zeros_like(batch.real).scatter(1, batch.ends[:, None], True)
    return [
        Way(some, heads, union(some.values(), batch.real), max(map(last_step_to, some)))
        for heads, some in found.items()
    ] or [Way({}, None, end, after_all(layers))]


def by_sent(
    variants: Iterable[Variant], ways: Sequence[Way], batch: Batch
) -> Iterable[tuple[Sequence[Tensor], list[Variant]]]:
    """Variants with the tokens that each way runs of them: those that run over the same ones together, whichever
    others there are."""
    nowhere = torch.zeros_like(batch.real)
    if all(way.heads is None for way in ways):
        return [([way.tokens(nowhere) for way in ways], list(variants))]
    found: dict[bytes, tuple[Sequence[Tensor], list[Variant]]] = {}
    for variant in variants:
        sent = ([_sent(way, edit, batch) for edit in variant.edits] for way in ways)
        tokens = [way.tokens(torch.stack(each).any(0)) for way, each in zip(ways, sent, strict=True)]
        found.setdefault(torch.stack(tokens).numpy().tobytes(), (tokens, []))[1].append(variant)
    return found.values()


def carried(variants: Sequence[Variant], ways: Sequence[Way], batch: Batch) -> tuple[list[Variant], tuple[Edited, ...]]:
    """Variants with the edits that can reach the receivers; and the worlds in which none can."""
    found: dict[Hashable, Variant] = {}
    nothing: list[Edited] = []
    for variant in variants:
        led = {edit: torch.stack([_sent(way, edit, batch) for way in ways]).any(0).any(1) for edit in variant.edits}
        arriving = tuple(edit for edit in variant.edits if led[edit].any())
        if not arriving:
            nothing += variant.worlds
            continue
        key = tuple((edit.name, edit.key) for edit in arriving)
        known = found[key].worlds if key in found else ()
        reached = torch.stack([led[edit] for edit in arriving]).any(0)
        found[key] = Variant((*known, *variant.worlds), arriving, None if reached.all() else reached)
    return list(found.values()), tuple(nothing)


def _sent(way: Way, edit: Edit, batch: Batch) -> Bool[Tensor, "prompts tokens"]:
    """The tokens of an edit, where a way may lead from there to a receiver of the same prompt."""
    tokens = touched([edit], batch)
    return tokens & (tokens & way.reached).any(1, keepdim=True) & (step_of(edit.name) <= way.last)
