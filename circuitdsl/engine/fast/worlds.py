"""From worlds to edits: what each world changes, where, and what it puts there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import Tensor

from circuitdsl.actions import Ablate, Action, Attend, Freeze, Patch, Scale, Swap
from circuitdsl.components import ALL, Geometry, Head, Node, Position
from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch, mask_of
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.edits import Edit, Exchanged
from circuitdsl.engine.fast.hook_points import keys_at, values_at
from circuitdsl.engine.fast.masks import Mask, Tokens, union
from circuitdsl.engine.fast.outside import Outside
from circuitdsl.engine.fast.region import placed
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    EdgesKept,
    FromCounterfactual,
    Intervened,
    Isolated,
    Patched,
    Sketched,
    Source,
    World,
)
from circuitdsl.measures.measurement import CannotMeasure


def keys_and_values(layers: Iterable[int]) -> frozenset[str]:
    """The hook points of the keys and values that attention uses in some layers."""
    return frozenset(name for layer in layers for name in (keys_at(layer), values_at(layer)))


@dataclass(frozen=True)
class Places:
    """Masks of nodes over one batch. A position is looked up in the prompts once, however many nodes stand there."""

    batch: Batch
    geometry: Geometry
    known: dict[Position, Tokens] = field(default_factory=dict[Position, Tokens])

    def where(self, position: Position) -> Tokens:
        """The tokens of a position. Raises CannotMeasure."""
        if position not in self.known:
            self.known[position] = Tokens(mask_of(self.batch, position))
        return self.known[position]

    def everywhere(self, outside: Outside) -> dict[str, Mask]:
        """All tokens of all that is replaced outside some circuits, by hook point."""
        real, by_head = self.where(ALL), frozenset(hook_names.all_heads(self.geometry))
        found: dict[str, Mask] = {}
        for name in outside.names(self.geometry):
            columns = self.geometry.n_heads if name in by_head else outside.columns(name, self.geometry)
            found[name] = Mask({}, columns, single=name not in by_head, rest=real)
        return found

    def outputs(self, nodes: Iterable[Node]) -> dict[str, Mask]:
        """Where the nodes' outputs stand, by hook point."""
        return self._masks((node, node.component.output) for node in nodes)

    def inputs(self, receivers: Iterable[tuple[Node, str]]) -> dict[str, Mask]:
        """Where the receivers' inputs stand; of a key or value, each head's own copy."""
        return self._masks((node, node.component.receives(which)) for node, which in receivers)

    def rows(self, nodes: Iterable[Node]) -> dict[str, Mask]:
        """Where the rows of heads' patterns stand, by hook point: at the queries of each head."""
        found: dict[str, dict[int, Tokens]] = {}
        for node in nodes:
            if not isinstance(node.component, Head):
                raise CannotMeasure(f"{node.component} has no attention pattern to set")
            self._mark(found.setdefault(node.component.pattern, {}), node.component.index, node)
        return {name: Mask(columns, self.geometry.n_heads, single=False) for name, columns in found.items()}

    def _masks(self, marks: Iterable[tuple[Node, str]]) -> dict[str, Mask]:
        found: dict[str, dict[int, Tokens]] = {}
        shapes: dict[str, tuple[int, bool]] = {}
        for node, name in marks:
            column = node.component.column("", self.geometry)
            index, count = (0, 1) if column is None else column
            shapes[name] = count, node.component.single or column is None
            self._mark(found.setdefault(name, {}), index, node)
        return {name: Mask(columns, *shapes[name]) for name, columns in found.items()}

    def _mark(self, columns: dict[int, Tokens], index: int, node: Node) -> None:
        """Add the tokens of a node in its column."""
        tokens = self.where(node.position)
        columns[index] = columns.get(index, tokens) | tokens


Values = Mapping[str, Tensor | Cached]
"""What is put in by hook point: cached by token, or a tensor that broadcasts to every token."""


def edits_of(
    world: World, places: Places, values: Callable[[Source], Values], clean: Mapping[str, Cached]
) -> tuple[Edit, ...]:
    """A world's edits in their order; of path patching, those at the senders alone. Raises CannotMeasure."""
    match world:
        case Ablated(nodes=nodes, source=source):
            return _replaced(nodes, source, places.outputs(nodes), values(source))
        case Isolated(source=source):
            return _replaced(world.kept, source, _outside(world, places), values(source))
        case Patched(senders=senders, counterfactual=name):
            source = FromCounterfactual(name)
            return _replaced(senders, source, places.outputs(senders), values(source))
        case Intervened(actions=actions, sources=sources):
            pairs = zip(actions, sources, strict=True)
            acting = ((action, _Acting(places, source, values, clean)) for action, source in pairs)
            return tuple(edit for action, run in acting for edit in _edits(action, run))
        case Clean() | Corrupted() | Sketched() | EdgesKept():  # the last is the plain engine's
            return ()
        case _:
            assert_never(world)


def _replaced(
    nodes: Iterable[Node], source: Source | None, masks: Mapping[str, Mask], values: Values
) -> tuple[Edit, ...]:
    """Edits whose keys are the nodes at each hook point and the source (None for the clean run)."""
    there: dict[str, set[Node]] = {}
    for node in nodes:
        there.setdefault(node.component.output, set()).add(node)
    keys = {name: frozenset(some) for name, some in there.items()}
    return tuple(Edit(name, (keys.get(name), source), mask, values[name]) for name, mask in masks.items())


def _outside(world: Isolated, places: Places) -> dict[str, Mask]:
    """Where the outputs of everything outside the kept nodes stand."""
    kept, every = places.outputs(world.kept), places.everywhere(Outside.of(world))
    return {name: mask.without(kept[name]) if name in kept else mask for name, mask in every.items()}


def keeping_nothing(outside: Outside, places: Places, values: Values) -> tuple[Edit, ...]:
    """The edits of a world that keeps nothing of what isolated ones replace."""
    return _replaced((), outside.source, places.everywhere(outside), values)


# --- actions -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Acting:
    """What an action is given of a batch: where its nodes stand, and what it takes from its source, or clean run."""

    places: Places
    source: Source | None
    values: Callable[[Source], Values]
    clean: Mapping[str, Cached]

    def replacing(self, action: Action) -> tuple[Edit, ...]:
        """Outputs become what the action takes."""
        values = self.clean if self.source is None else self.values(self.source)
        return _replaced(action.nodes, self.source, self.places.outputs(action.nodes), values)


def _edits(action: Action, run: _Acting) -> tuple[Edit, ...]:
    match action:
        case Attend():
            return _attending(action, run.places)
        case Scale(factor=factor):
            zero = torch.zeros((), device=run.places.batch.tokens.device)
            return tuple(
                Edit(name, action, mask, zero, factor) for name, mask in run.places.outputs(action.nodes).items()
            )
        case Ablate() | Patch() | Freeze():
            return run.replacing(action)
        case Swap():
            return _swapping(action, run.places)
        case _:
            raise LookupError(f"the fast engine does not cover `{action.text}`")


def _swapping(action: Swap, places: Places) -> tuple[Edit, ...]:
    """Outputs at two positions exchanged. Raises CannotMeasure where either is not one token."""
    masks = [places.where(position).planned for position in action.between]
    for position, mask in zip(action.between, masks, strict=True):
        if bool((mask.sum(-1) != 1).any()):
            raise CannotMeasure(f"what is swapped is of single tokens, and {position} is not one on every prompt")
    device = places.batch.tokens.device
    exchanged = Exchanged(*(placed(_first(mask), device) for mask in masks))
    return tuple(Edit(name, action, mask, exchanged) for name, mask in places.outputs(action.nodes).items())


def _attending(action: Attend, places: Places) -> tuple[Edit, ...]:
    """Rows of patterns set to the targets' shares, each spread evenly over its tokens, and to 0 elsewhere.

    Raises CannotMeasure where a row would attend to a token after its own.
    """
    if not action.targets:
        raise CannotMeasure(f"`{action.text}` does not say what to attend to")
    batch = places.batch
    rows = places.rows(action.nodes)
    row = torch.zeros(batch.tokens.shape)
    for target in action.targets:
        keys = places.where(target.position).planned
        last = _last(keys)
        for query in dict.fromkeys(node.position for node in action.nodes):
            late = (_first(places.where(query).planned) < last).nonzero()
            if len(late):
                prompt = batch.prompts[int(late[0])]
                raise CannotMeasure(f"{query} cannot attend to {target.position}, which comes later in {prompt.text!r}")
        row += target.share * keys.float() / keys.float().sum(-1, keepdim=True)
    values = placed(row, batch.tokens.device)[:, None, None, :]
    return tuple(Edit(name, action, mask, values) for name, mask in rows.items())


def _first(mask: Tensor) -> Tensor:
    """The index of each prompt's first marked token."""
    return mask.int().argmax(-1)


def _last(mask: Tensor) -> Tensor:
    """The index of each prompt's last marked token."""
    return mask.shape[-1] - 1 - mask.int().flip(-1).argmax(-1)


def touched(edits: Iterable[Edit], batch: Batch) -> Tensor:
    """The tokens [prompts, tokens] at which anything is edited; of a pattern, its queries."""
    return union((edit.mask for edit in edits), batch.real)
