"""TransformerLens hook points by name, and the writes that experiments make to them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuitdsl.engine.batch import Batch, mask_of
from circuitdsl.language.circuit import Component, Embed, Head, Mlp, Node, PosEmbed
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.measurement import CannotMeasure

Activations = Mapping[str, Tensor]
"""Activations by hook name."""

FIRST_BLOCK = "blocks.0.hook_resid_post"
EMBEDDINGS = ("hook_embed", "hook_pos_embed")

# A write smaller than this share of what it replaces is rounding, not a change, however fine the precision.
NO_CHANGE = 1e-6


def no_change(dtype: torch.dtype) -> float:
    """The share of the largest value at a hook point below which a difference is rounding in this precision.

    At least the distance from one to the next number: in bfloat16 that is 2^-7.
    """
    return max(NO_CHANGE, torch.finfo(dtype).eps)


def z(layer: int) -> str:
    """Outputs of a layer's heads before W_O: [prompts, length, heads, d_head]."""
    return f"blocks.{layer}.attn.hook_z"


def pattern(layer: int) -> str:
    """Attention probabilities: [prompts, heads, query, key]."""
    return f"blocks.{layer}.attn.hook_pattern"


def output(component: Component) -> str:
    """The hook point at which a component's output is read and replaced."""
    match component:
        case Head(layer=layer):
            return z(layer)
        case Mlp(layer=layer):
            return f"blocks.{layer}.hook_mlp_out"
        case Embed():
            return "hook_embed"
        case PosEmbed():
            return "hook_pos_embed"


def receiver(node: Node, which: str) -> str:
    """The hook point of an input: q, k or v of a head; of an MLP, its normalised input."""
    layer = node.component.layer if isinstance(node.component, Head | Mlp) else 0
    return f"blocks.{layer}.attn.hook_{which}" if which else f"blocks.{layer}.mlp.hook_in"


def heads_and_mlps(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the outputs of every head and MLP."""
    return tuple(map(z, range(geometry.n_layers))) + mlps(geometry)


def mlps(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the outputs of every MLP; none in an attention-only model."""
    return tuple(output(Mlp(layer)) for layer in range(geometry.n_layers)) if geometry.d_mlp else ()


def norms(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the scales that norms divide by; a model has those of its norms."""
    blocks = [f"blocks.{layer}.{norm}.hook_scale" for layer in range(geometry.n_layers) for norm in ("ln1", "ln2")]
    return ("embed_ln.hook_scale", *blocks, "ln_final.hook_scale")


Hook = Callable[[Tensor, object], Tensor | None]


@dataclass
class Write:
    """Replace what a hook point carries by ``new`` of it where ``mask`` is true; both broadcast to its shape.

    ``fired`` and ``changed`` are what the guard reads afterwards: that the hook ran, and that it made a difference.
    """

    name: str
    mask: Tensor
    new: Callable[[Tensor], Tensor]
    fired: bool = field(default=False, init=False)
    changed: bool = field(default=False, init=False)

    def __call__(self, activation: Tensor, hook: object) -> Tensor:
        self.fired = True
        replaced = torch.where(self.mask, self.new(activation).to(activation.dtype), activation)
        largest = activation.abs().max()
        self.changed |= bool((replaced - activation).abs().max() > no_change(activation.dtype) * largest)
        return replaced


def put(name: str, mask: Tensor, values: Tensor) -> Write:
    """A write of given values."""
    return Write(name, mask, lambda _: values)


def replacing(where: Mapping[str, Tensor], values: Activations) -> list[Write]:
    """Writes of values by hook point. Raises CannotMeasure for a point that the model never passes through."""
    try:
        return [put(name, mask, values[name]) for name, mask in where.items()]
    except KeyError as missing:
        raise CannotMeasure(f"nothing passed through {missing.args[0]}, so it cannot be replaced") from missing


EVERYWHERE = torch.ones((), dtype=torch.bool)


def masks(nodes: Iterable[Node], batch: Batch, geometry: Geometry) -> dict[str, Tensor]:
    """Where the nodes' outputs stand, by hook point: [prompts, length, heads, 1], or [prompts, length, 1]."""
    result: dict[str, Tensor] = {}
    for node in nodes:
        _mark(result, output(node.component), mask_of(batch, node.position), node.component, geometry.n_heads, geometry)
    return result


def receiver_masks(receivers: Iterable[tuple[Node, str]], batch: Batch, geometry: Geometry) -> dict[str, Tensor]:
    """Where the receivers' inputs stand, by hook point; with grouped queries a key or value belongs to its group."""
    result: dict[str, Tensor] = {}
    for node, which in receivers:
        columns = geometry.n_kv_heads if which in ("k", "v") else geometry.n_heads
        _mark(result, receiver(node, which), mask_of(batch, node.position), node.component, columns, geometry)
    return result


def _mark(
    result: dict[str, Tensor], name: str, where: Tensor, component: Component, columns: int, geometry: Geometry
) -> None:
    """Add positions to the mask of a hook point, in the component's own column where the point has one a head."""
    if not isinstance(component, Head):
        result[name] = result.get(name, torch.zeros_like(where)[..., None]) | where[..., None]
        return
    if name not in result:
        result[name] = torch.zeros((*where.shape, columns, 1), dtype=torch.bool, device=where.device)
    result[name][..., component.index * columns // geometry.n_heads, 0] |= where


def capture(names: Iterable[str], into: dict[str, Tensor]) -> list[tuple[str, Hook]]:
    """Hooks that keep what passes, unchanged."""

    def keeper(name: str) -> Hook:
        def keep(activation: Tensor, hook: object) -> None:
            into[name] = activation.detach().clone()

        return keep

    return [(name, keeper(name)) for name in names]


def check_there(names: Iterable[str], hook_points: Container[str]) -> None:
    """Raise CannotMeasure for a hook point that the model does not have."""
    absent = sorted(name for name in names if name not in hook_points)
    if absent:
        raise CannotMeasure(f"the model has no {', '.join(absent)}, so nothing can be replaced there")


def check_fired(writes: Iterable[Write]) -> None:
    """Raise CannotMeasure if a write's hook never ran: the patch would have silently done nothing."""
    silent = sorted({write.name for write in writes if not write.fired})
    if silent:
        raise CannotMeasure(f"nothing passed through {', '.join(silent)}, so the patch there did nothing")


def would_change(writes: Sequence[Write], activations: Activations) -> bool:
    """Whether a patch that was not made yet would make a difference to what its hook points carry in a run."""
    for write in writes:
        write(activations[write.name], None)
    return made_a_difference(writes)


def made_a_difference(writes: Sequence[Write]) -> bool:
    """Whether a patch that has somewhere to act made any difference; one with nowhere to act has nothing to show."""
    return any(write.changed for write in writes) or not any(bool(write.mask.any()) for write in writes)
