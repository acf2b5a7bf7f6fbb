"""The writes that experiments make to TransformerLens's hook points, and the hooks that make and read them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuitdsl.components import Component, Geometry, Head, Node
from circuitdsl.engine.batch import Batch, mask_of
from circuitdsl.engine.guard import no_change
from circuitdsl.engine.hook_names import Activations
from circuitdsl.measures.measurement import CannotMeasure

Hook = Callable[[Tensor, object], Tensor | None]
"""Given what passes a hook point, and the hook point; what it returns, if anything, passes in its place."""


Receiver = tuple[Node, str]
"""A node and the name of its input."""


@dataclass
class Write:
    """Replace what a hook point carries by ``new`` of it where ``mask`` is true; both broadcast to its shape.

    ``fired`` and ``changed`` are what the guard reads afterwards: that the hook ran, and that it made a difference.
    """

    name: str
    mask: Tensor = field(repr=False)  # TransformerLens names every hook by its repr, and a tensor's takes long
    new: Callable[[Tensor], Tensor] = field(repr=False)
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


def present(values: Activations, names: Iterable[str]) -> dict[str, Tensor]:
    """The values at these hook points. Raises CannotMeasure for one that the model never passes through."""
    try:
        return {name: values[name] for name in names}
    except KeyError as missing:
        raise CannotMeasure(f"nothing passed through {missing.args[0]}, so it cannot be replaced") from missing


def replacing(where: Mapping[str, Tensor], values: Activations) -> list[Write]:
    """Writes of values by hook point. Raises CannotMeasure for a hook point that the model never passes through."""
    found = present(values, where)
    return [put(name, mask, found[name]) for name, mask in where.items()]


EVERYWHERE = torch.ones((), dtype=torch.bool)


def masks(nodes: Iterable[Node], batch: Batch, geometry: Geometry) -> dict[str, Tensor]:
    """Where the nodes' outputs stand, by hook point: [prompts, length, heads, 1], [prompts, length, neurons], or
    [prompts, length, 1]."""
    result: dict[str, Tensor] = {}
    for node in nodes:
        component = node.component
        _mark(result, component.output, mask_of(batch, node.position), component, component.column("", geometry))
    return result


def receiver_masks(receivers: Iterable[Receiver], batch: Batch, geometry: Geometry) -> dict[str, Tensor]:
    """Where the receivers' inputs stand, by hook point; with grouped queries a key or value is there for its group."""
    result: dict[str, Tensor] = {}
    for node, which in receivers:
        component = node.component
        its = component.column(which, geometry)
        _mark(result, component.receives(which), mask_of(batch, node.position), component, its)
    return result


def by_copied_head(receivers: Iterable[Receiver], geometry: Geometry) -> dict[Head, frozenset[Receiver]]:
    """The receivers that are a head's own copies of a key or value which other heads read too, by head, in order.

    None without grouped queries.
    """
    found: dict[Head, frozenset[Receiver]] = {}
    for receiver in receivers:
        head, which = receiver[0].component, receiver[1]
        if isinstance(head, Head) and which in ("k", "v") and len(head.group(geometry)) > 1:
            found[head] = found.get(head, frozenset()) | {receiver}
    return dict(sorted(found.items()))


def whole_head(head: Head, geometry: Geometry, device: torch.device) -> dict[str, Tensor]:
    """Where a head's pattern and output stand, at all tokens: [1, heads, 1, 1] and [1, 1, heads, 1]."""
    its = torch.arange(geometry.n_heads, device=device) == head.index
    return {head.pattern: its[None, :, None, None], head.output: its[None, None, :, None]}


def pattern_masks(nodes: Iterable[Node], batch: Batch, geometry: Geometry) -> dict[str, Tensor]:
    """Where the rows of the nodes' attention patterns stand, by hook point: [prompts, heads, queries, 1].

    Raises CannotMeasure for components that are no heads.
    """
    result: dict[str, Tensor] = {}
    for node in nodes:
        if not isinstance(node.component, Head):
            raise CannotMeasure(f"{node.component} has no attention pattern to set")
        queries = mask_of(batch, node.position)
        shape = (len(batch), geometry.n_heads, queries.shape[1], 1)
        name = node.component.pattern
        mask = result.setdefault(name, torch.zeros(shape, dtype=torch.bool, device=queries.device))
        mask[:, node.component.index, :, 0] |= queries
    return result


def _mark(
    result: dict[str, Tensor], name: str, where: Tensor, component: Component, column: tuple[int, int] | None
) -> None:
    """Add positions to the mask of a hook point, in the component's own column where it has one."""
    if column is None:
        result[name] = result.get(name, torch.zeros_like(where)[..., None]) | where[..., None]
        return
    index, columns = column
    if name not in result:
        shape = (*where.shape, columns) if component.single else (*where.shape, columns, 1)
        result[name] = torch.zeros(shape, dtype=torch.bool, device=where.device)
    mask = result[name] if component.single else result[name][..., 0]
    mask[..., index] |= where


def capture(names: Iterable[str], into: dict[str, Tensor]) -> list[tuple[str, Hook]]:
    """Hooks that copy what passes, unchanged, ``into`` a dictionary."""

    def copier(name: str) -> Hook:
        def copy(activation: Tensor, hook: object) -> None:
            into[name] = activation.detach().clone()

        return copy

    return [(name, copier(name)) for name in names]


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
