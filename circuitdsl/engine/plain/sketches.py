"""What replacing the outputs of heads changes to first order: a metric's gradient by them, with hooks and autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from circuitdsl.components import Geometry
from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.hook_names import Activations
from circuitdsl.engine.readings import METRICS, finite
from circuitdsl.measures.experiments import Reading, has_gradient
from circuitdsl.measures.measurement import Array, CannotMeasure
from circuitdsl.models import Model


@dataclass(frozen=True)
class Slopes:
    """A metric of the clean run, [prompts], the outputs of all heads, and its gradients by them, by hook point."""

    metric: Tensor
    outputs: Activations
    gradients: Activations

    def to_first_order(self, where: Mapping[str, Tensor], values: Activations) -> Array:
        """The metric of each prompt where what is marked becomes that of ``values``, as far as its gradient tells."""
        total = self.metric.double()
        for name, mask in where.items():
            change = (values[name] - self.outputs[name]).double() * self.gradients[name]
            total = total + torch.where(mask, change, 0.0).flatten(1).sum(1)
        return finite(total.cpu().numpy())


def slopes_of(model: Model, batch: Batch, reading: Reading, geometry: Geometry) -> Slopes:
    """Raises CannotMeasure for a reading that has no gradient, and for a prompt that does not have the metric."""
    if not has_gradient(reading):
        raise CannotMeasure("only a metric that has a gradient is estimated to first order")
    names = hook_names.all_heads(geometry)
    # A prompt at a time: autograd keeps all of a pass.
    each = [
        _of_prompt(model, tokens[: len(prompt.tokens)], int(end), partial(METRICS[reading.name], prompt), names)
        for prompt, tokens, end in zip(batch.prompts, batch.tokens, batch.ends, strict=True)
    ]
    metrics, outputs, gradients = zip(*each, strict=True)
    return Slopes(torch.stack(metrics), _side_by_side(outputs, names), _side_by_side(gradients, names))


def _side_by_side(prompts: Sequence[Activations], names: Sequence[str]) -> Activations:
    """Activations of single prompts as a batch, with zeros after the tokens that each has."""
    padded = torch.nn.utils.rnn.pad_sequence
    return {name: padded([activations[name] for activations in prompts], batch_first=True) for name in names}


def _of_prompt(
    model: Model, tokens: Tensor, end: int, metric: Callable[[Tensor], Tensor], names: Sequence[str]
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """The metric of one prompt, and by hook point its heads' outputs and the gradients, [length, heads, d_head]."""
    passed: dict[str, Tensor] = {}

    def begins(embedded: Tensor, hook: object) -> Tensor:
        return embedded.detach().requires_grad_()

    def note(name: str, output: Tensor, hook: object) -> Tensor:
        passed[name] = output
        return output

    with torch.inference_mode(False), torch.enable_grad():
        hooks = [("hook_embed", begins), *((name, partial(note, name)) for name in names)]
        logits = model.bridge.run_with_hooks(tokens[None].clone(), fwd_hooks=hooks, return_type="logits")
        value = metric(logits[0, end].float())
        gradients = torch.autograd.grad(value, [passed[name] for name in names])
    outputs = {name: passed[name].detach()[0] for name in names}
    return value.detach(), outputs, {name: each[0] for name, each in zip(names, gradients, strict=True)}
