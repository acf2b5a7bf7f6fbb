"""The writes of an intervention's actions that are more than the replacement of an output."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from circuitdsl.engine.batch import Batch, mask_of, tokens_at
from circuitdsl.engine.hooks import Write, pattern, put
from circuitdsl.language.circuit import Action, Head, Position, Target
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.measurement import CannotMeasure


def scaled(name: str, mask: Tensor, factor: float) -> Write:
    """Outputs multiplied by a factor."""
    return Write(name, mask, lambda activation: activation * factor)


def attend(action: Action, batch: Batch, geometry: Geometry) -> list[Write]:
    """Rows of attention patterns set to the targets' shares, each spread evenly over its tokens, and to 0 elsewhere.

    Raises CannotMeasure where a row would attend to a token after its own.
    """
    if not action.targets:
        raise CannotMeasure(f"`{action.text}` does not say what to attend to")
    rows: dict[str, Tensor] = {}
    for node in action.nodes:
        if not isinstance(node.component, Head):
            raise CannotMeasure(f"{node.component} has no attention pattern to set")
        for target in action.targets:
            _check_causal(batch, node.position, target.position)
        name = pattern(node.component.layer)
        queries = mask_of(batch, node.position)
        mask = rows.setdefault(name, torch.zeros((len(batch), geometry.n_heads, queries.shape[1], 1), dtype=torch.bool))
        mask[:, node.component.index, :, 0] |= queries.cpu()
    row = _row(action.targets, batch)[:, None, None, :]
    return [put(name, mask.to(row.device), row) for name, mask in rows.items()]


def _row(targets: Iterable[Target], batch: Batch) -> Tensor:
    """What a row of attention becomes, [prompts, length]."""
    row = torch.zeros(batch.tokens.shape, device=batch.tokens.device)
    for target in targets:
        keys = mask_of(batch, target.position).float()
        row += target.share * keys / keys.sum(-1, keepdim=True)
    return row


def _check_causal(batch: Batch, query: Position, key: Position) -> None:
    for prompt in batch.prompts:
        if min(tokens_at(prompt, query)) < max(tokens_at(prompt, key)):
            raise CannotMeasure(f"{query} cannot attend to {key}, which comes later in {prompt.text!r}")
