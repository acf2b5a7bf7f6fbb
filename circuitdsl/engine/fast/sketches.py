"""What replacing the outputs of heads changes to first order, for all heads by one pass forward and one back.

A prompt at a time: what autograd keeps of one is small, and no figure depends on what stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.caches import pass_of
from circuitdsl.engine.fast.masks import Mask, laid_out
from circuitdsl.engine.fast.threads import in_order
from circuitdsl.engine.readings import METRICS
from circuitdsl.measures.experiments import Metric
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Slopes:
    """A metric of the clean run of a batch; the heads' outputs there, by hook point, and its gradients by them."""

    metric: Float[Tensor, " prompts"]
    outputs: Mapping[str, Float[Tensor, "prompts tokens heads d_head"]]
    gradients: Mapping[str, Float[Tensor, "prompts tokens heads d_head"]]

    def change(self, name: str, values: Tensor | Cached) -> Float[Tensor, "prompts tokens heads"]:
        """What it changes by, to first order, where each head's output at each token becomes that of ``values``."""
        output = self.outputs[name]
        return ((_at_all(values, output) - output).double() * self.gradients[name]).sum(-1)


def slopes_of(network: Network, batch: Batch, metric: Metric, threads: int = 1) -> Slopes:
    """So many prompts at once. Raises CannotMeasure for a prompt that does not have the metric."""
    of = METRICS[metric.name]

    def run(one: tuple[Prompt, Tensor, Tensor]) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
        return _of_prompt(network, *one, of)

    each = [*in_order(run, [*zip(batch.prompts, batch.tokens, batch.ends, strict=True)], threads)]
    names = [hook_names.z(layer) for layer in range(len(network.blocks))]
    return Slopes(
        torch.stack([metric for metric, _, _ in each]).double(),
        {name: _stacked([outputs[place] for _, outputs, _ in each]) for place, name in enumerate(names)},
        {name: _stacked([gradients[place] for _, _, gradients in each]) for place, name in enumerate(names)},
    )


def within(change: Float[Tensor, "prompts tokens heads"], mask: Mask) -> Float[Tensor, " prompts"]:
    """The change where a mask is, summed up token by token, so that padding changes nothing."""
    tokens = torch.arange(change.shape[1], device=change.device).expand(change.shape[:2])
    return (change * laid_out([mask], tokens)[:, 0, :, :, 0]).sum(2).cumsum(1)[:, -1]


def _of_prompt(
    network: Network, prompt: Prompt, tokens: Tensor, end: Tensor, metric: Callable[[Prompt, Tensor], Tensor]
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """The metric, and by layer the outputs of its heads and the gradients, [tokens, heads, d_head]."""
    passed: dict[str, Tensor] = {}

    def note(name: str, output: Tensor, rows: Sequence[int]) -> None:
        passed[name] = output if output.requires_grad else output.requires_grad_()

    names = [hook_names.z(layer) for layer in range(len(network.blocks))]
    with torch.inference_mode(False), torch.enable_grad():
        own = tokens[None, : len(prompt.tokens)].clone()
        x = pass_of(network, own).watched(dict.fromkeys(names, note))
        value = metric(prompt, network.unembedding(network.final(x[0, 0, int(end)])).float())
        outputs = [passed[name] for name in names]
        gradients = torch.autograd.grad(value, outputs)
    return value.detach(), [each.detach()[0, 0] for each in outputs], [each[0, 0] for each in gradients]


def _stacked(rows: Sequence[Float[Tensor, "_ heads d_head"]]) -> Float[Tensor, "prompts tokens heads d_head"]:
    """Prompts side by side, with zeros after the tokens that each has."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def _at_all(values: Tensor | Cached, like: Tensor) -> Tensor:
    """Values at all tokens; where they are not cached, those of some other token, which no mask has."""
    if isinstance(values, Tensor):
        return values
    return values.take(torch.arange(like.shape[1], device=like.device).expand(len(like), -1))
