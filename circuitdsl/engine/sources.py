"""Where replaced activations come from: zeros, means, another prompt, the prompt's own counterfactual."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from circuitdsl.engine.batch import Batch, counterfactual, counterfactual_tokens, in_batches, padded
from circuitdsl.engine.hook_names import Activations
from circuitdsl.measures.experiments import FromCounterfactual, Mean, Resample, Source, Zero
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.tasks.prompts import Prompt

Forward = Callable[[Tensor], Activations]
"""Tokens [rows, length] -> the outputs of components by hook point, each [rows, length, ...]."""


@dataclass(frozen=True)
class Sources:
    """Replacement values for one stream of prompts.

    ``forward`` gives what passes the hook points of all embeddings, heads and MLPs, and the ``further`` ones;
    ``tokens`` is how many tokens it may take at once. Means are made once and cached in ``means``; one that lacks a
    further hook point is made again.
    """

    stream: Sequence[Prompt]
    forward: Forward
    tokens: int
    means: dict[Mean, dict[str, Activations]]
    further: frozenset[str] = frozenset()

    def values(self, source: Source, batch: Batch) -> Activations:
        """Values by hook point, each broadcasting to [prompts, length, ...]. Raises CannotMeasure."""
        match source:
            case Zero():
                return _Zeros(batch.tokens.device)
            case FromCounterfactual(counterfactual=name):
                return self.forward(counterfactual_tokens(batch, name))
            case Resample():
                return self.forward(self._partners(source, batch))
            case Mean():
                return self._laid_out(self._means(source), source, batch)
            case _:
                assert_never(source)

    def _partners(self, source: Resample, batch: Batch) -> Tensor:
        """The counterfactual tokens of another prompt of the same template and length, for each prompt."""
        reference = self.stream[: source.reference]
        rows = [counterfactual(_partner(p, reference, source.seed), source.counterfactual) for p in batch.prompts]
        return padded(rows, batch.tokens.device)

    def _means(self, source: Mean) -> dict[str, Activations]:
        """Mean activations by template (or under "" for all): [length, ...] (or [...])."""
        known = self.means.get(source)
        if known is None or not all(self.further <= each.keys() for each in known.values()):
            reference = list(self.stream[: source.reference])
            self.means[source] = (
                {
                    template: self._mean(prompts, source.counterfactual, by_position=True)
                    for template, prompts in _by_template(reference).items()
                }
                if source.by_template
                else {"": self._mean(reference, source.counterfactual, by_position=False)}
            )
        return self.means[source]

    def _mean(self, prompts: Sequence[Prompt], name: str, by_position: bool) -> Activations:
        totals: dict[str, Tensor] = {}
        count = 0
        for group in in_batches(prompts, self.tokens):
            rows = [counterfactual(prompt, name) for prompt in group]
            device = next(iter(totals.values())).device if totals else torch.device("cpu")
            activations = self.forward(padded(rows, device))
            lengths = torch.tensor([len(row) for row in rows])
            for hook, activation in activations.items():
                if by_position:
                    part = activation.double().sum(0)
                else:
                    real = torch.arange(activation.shape[1]) < lengths[:, None]
                    part = activation[real.to(activation.device)].double().sum(0)
                totals[hook] = totals[hook] + part if hook in totals else part
            count += len(rows) if by_position else int(lengths.sum())
        return {hook: (total / count).float() for hook, total in totals.items()}

    def _laid_out(self, means: dict[str, Activations], source: Mean, batch: Batch) -> Activations:
        """Each prompt's template's means, padded to the batch's length."""
        if not source.by_template:
            return means[""]
        rows = []
        for prompt in batch.prompts:
            if prompt.template not in means:
                raise CannotMeasure(
                    f"none of the first {source.reference} prompts has the template {prompt.template}, so it has no "
                    "mean: raise the first number of `prompts`, or write `ablate mean`"
                )
            rows.append(means[prompt.template])
        return {hook: _stacked([row[hook] for row in rows], batch.tokens.shape[1]) for hook in rows[0]}


class _Zeros(dict[str, Tensor]):
    """A zero for every hook point."""

    def __init__(self, device: torch.device):
        super().__init__()
        self.zero = torch.zeros((), device=device)

    def __missing__(self, name: str) -> Tensor:
        return self.zero


def _stacked(rows: list[Tensor], length: int) -> Tensor:
    result = rows[0].new_zeros((len(rows), length, *rows[0].shape[1:]))
    for i, row in enumerate(rows):
        result[i, : row.shape[0]] = row
    return result


def _by_template(prompts: Iterable[Prompt]) -> dict[str, list[Prompt]]:
    groups: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault(prompt.template, []).append(prompt)
    for template, group in groups.items():
        lengths = sorted({len(prompt.tokens) for prompt in group})
        if len(lengths) > 1:
            raise CannotMeasure(
                f"prompts of the template {template} have {lengths[0]} to {lengths[-1]} tokens, so there is no mean by "
                "template: give prompts of different lengths different templates, or write `ablate mean`"
            )
    return groups


def _partner(prompt: Prompt, reference: Sequence[Prompt], seed: int) -> Prompt:
    """Another prompt of the same template and length, picked by a hash so that it never depends on the batch."""
    alike = [
        other
        for other in reference
        if other.template == prompt.template and len(other.tokens) == len(prompt.tokens) and other != prompt
    ]
    if not alike:
        raise CannotMeasure(
            f"the first {len(reference)} prompts have no other one of the template {prompt.template} and length "
            f"{len(prompt.tokens)} to resample {prompt.text!r} from: raise the first number of `prompts`"
        )
    digest = hashlib.sha256(repr((seed, prompt.tokens)).encode()).digest()
    return alike[int.from_bytes(digest[:8], "big") % len(alike)]
