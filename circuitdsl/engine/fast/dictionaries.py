"""Features and errors of dictionaries in the rows of a pass.

What stands at a dictionary's point is x, f its features and e its error. Where f' and e' are put in their place x
becomes x + (f' - f) W_dec + (e' - e) (Marks et al. 2024). So f is computed once for all rows that have been the same so
far, and of W_dec only the rows of those features are multiplied by that any world replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitdsl.components import Dictionary
from circuitdsl.engine.fast.architecture import Linear, Network, Sparse
from circuitdsl.engine.fast.edits import Rows
from circuitdsl.engine.fast.hook_points import is_of_dictionary
from circuitdsl.engine.fast.masks import Mask, laid_out, named
from circuitdsl.engine.fast.products import linear
from circuitdsl.engine.fast.region import columns, narrow, picked, placed
from circuitdsl.models import open_dictionary


@dataclass
class Dictionaries:
    """The dictionaries that an engine has opened, on its device."""

    device: torch.device
    opened: dict[Dictionary, Sparse] = field(default_factory=dict[Dictionary, Sparse])

    def by_point(self, further: Iterable[Dictionary]) -> Mapping[str, Sequence[Sparse]]:
        """All that are open, with these, by the hook point at which they stand: runs that are kept for the next call
        may have what earlier ones asked for. Raises ModelError for one that cannot be opened."""
        for dictionary in further:
            if dictionary not in self.opened:
                self.opened[dictionary] = _sparse(dictionary, self.device)
        found: dict[str, list[Sparse]] = {}
        for dictionary in sorted(self.opened):  # sums come out the same in every process
            found.setdefault(dictionary.stands_at, []).append(self.opened[dictionary])
        return found


def _sparse(dictionary: Dictionary, device: torch.device) -> Sparse:
    weights = open_dictionary(dictionary).to(device)
    bias = weights.b_enc - weights.b_dec @ weights.W_enc if weights.settings.subtracts_b_dec else weights.b_enc
    encoder = Linear(weights.W_enc.T.contiguous(), bias)
    return Sparse(dictionary, encoder, weights.W_dec, weights.b_dec, weights.settings.k, weights.threshold)


def require_open(network: Network, names: Iterable[str]) -> None:
    """Raises LookupError where the network lacks a dictionary that adds one of the hook points: what is done there
    would be left out, and nobody told."""
    there = {name for some in network.dictionaries.values() for each in some for name in each.dictionary.hook_points}
    if missing := sorted(name for name in names if is_of_dictionary(name) and name not in there):
        raise LookupError(f"no dictionary is open that has {missing[0]}")


@dataclass(frozen=True)
class Received:
    """What a hook point of a dictionary is given on the region's tokens: ``values`` where ``mask`` is true, both of the
    ``chosen`` columns; None: of all."""

    mask: Bool[Tensor, "prompts 1 n columns"]
    values: Float[Tensor, "prompts worlds n columns"]
    chosen: tuple[int, ...] | None

    @classmethod
    def of(
        cls, mask: Mask, values: Float[Tensor, "prompts worlds n columns"], at: Int[Tensor, "prompts n"]
    ) -> Received:
        """``values`` are those of the columns that the mask names, as :meth:`Decomposition.values` gives them."""
        chosen = named([mask])
        return cls(laid_out([mask], at, chosen), values, chosen)

    def at(self, index: Int[Tensor, "prompts asked"]) -> Received:
        """The same for some of the region's tokens."""
        return Received(narrow(self.mask, index), narrow(self.values, index), self.chosen)

    def put(
        self, x: Float[Tensor, "prompts worlds n columns"], chosen: tuple[int, ...] | None
    ) -> Float[Tensor, "prompts worlds n columns"]:
        """Into ``x``, which has these columns."""
        if chosen == self.chosen:
            return torch.where(self.mask, self.values, x)
        own = range(x.shape[-1]) if self.chosen is None else self.chosen
        places = {column: place for place, column in enumerate(range(x.shape[-1]) if chosen is None else chosen)}
        index = placed(torch.tensor([places[column] for column in own]), x.device)
        x[..., index] = torch.where(self.mask, self.values, x[..., index])
        return x


def added(
    stands: Float[Tensor, "prompts rows n d_model"],
    changes: Sequence[tuple[Sequence[int], Float[Tensor, "prompts _ n d_model"]]],
) -> Float[Tensor, "prompts rows n d_model"]:
    """What stands at a point, with changes in some of the rows."""
    result = stands.clone() if changes else stands
    for some, change in changes:
        result[:, columns(result, some)] += change.to(result.dtype)
    return result


@dataclass(frozen=True)
class Decomposition:
    """The features and the error of one dictionary in ``some`` rows of a pass.

    ``features`` and ``stands``, what stands at the point, are of the rows that these were before they were split, each
    once, or of one row that all share; ``back`` says which of them each of the rows is.
    """

    sparse: Sparse
    rows: Rows
    at: Int[Tensor, "prompts n"]
    some: Sequence[int]
    stands: Float[Tensor, "prompts _ n d_model"]
    features: Float[Tensor, "prompts _ n n_features"]
    back: Sequence[int]

    @classmethod
    def of(
        cls,
        sparse: Sparse,
        rows: Rows,
        at: Int[Tensor, "prompts n"],
        some: Sequence[int],
        stands: Float[Tensor, "prompts _ n d_model"],
        read: Float[Tensor, "prompts _ n d_model"] | None,
    ) -> Decomposition:
        """``stands`` and, for a transcoder, ``read``, what the MLP reads, are of the rows before the last split, or one
        row that all of them share."""
        read = stands if read is None or not sparse.dictionary.transcoder else read
        parents = rows.parents if max(stands.shape[1], read.shape[1]) > 1 else [0] * len(rows)
        order = sorted({parents[row] for row in some})
        number = {parent: index for index, parent in enumerate(order)}
        ours, theirs = (x if x.shape[1] == 1 else picked(x, order) for x in (stands, read))
        return cls(sparse, rows, at, some, ours, sparse.features(theirs), [number[parents[row]] for row in some])

    def values(self, name: str, chosen: tuple[int, ...] | None = None) -> Float[Tensor, "prompts rows n columns"]:
        """What leaves the hook point of the features or of the error in each of the rows, of the chosen features."""
        return self.rows.edit(name, self._before(name, chosen), self.at, self.some, chosen)

    def change(self, received: Mapping[str, Received]) -> Float[Tensor, "prompts rows n d_model"] | None:
        """By how much what stands at the point changes in each of the rows; None: by nothing in any."""
        dictionary, change = self.sparse.dictionary, None
        for name in (dictionary.features, dictionary.error):
            given = received.get(name)
            chosen = self._chosen(name, given, self.some)
            if chosen == ():
                continue
            old = self._before(name, chosen)
            new = self.rows.edit(name, old.clone(), self.at, self.some, chosen)
            step = (new if given is None else given.put(new, chosen)) - old
            if name == dictionary.features:
                step = self._decoded(step, chosen, given)
            change = step if change is None else change + step
        return change

    def _decoded(
        self, step: Float[Tensor, "prompts rows n columns"], chosen: tuple[int, ...] | None, given: Received | None
    ) -> Float[Tensor, "prompts rows n d_model"]:
        """What a change of the chosen features makes of what stands at the point: of each row a sum over those alone
        that are edited or received in it, for longer sums are made in another order (``products``)."""
        own: dict[tuple[int, ...] | None, list[int]] = {}
        for place, row in enumerate(self.some):
            own.setdefault(self._chosen(self.sparse.dictionary.features, given, [row]), []).append(place)
        result = step.new_zeros((*step.shape[:-1], self.sparse.decoder.shape[1]))
        for features, places in own.items():
            if features == ():
                continue
            index = columns(step, places)
            some = step[:, index] if features == chosen else step[:, index][..., self._places(features, chosen)]
            decoder = self.sparse.decoder if features is None else self.sparse.decoder[self._index(features)]
            result[:, index] = linear(some, decoder.T, None)
        return result

    def _places(self, features: tuple[int, ...] | None, chosen: tuple[int, ...] | None) -> Int[Tensor, " places"]:
        """Where some of the chosen features stand among these."""
        assert features is not None, "all features are chosen then"
        if chosen is None:
            return self._index(features)
        number = {feature: place for place, feature in enumerate(chosen)}
        return self._index(tuple(number[feature] for feature in features))

    def _chosen(self, name: str, given: Received | None, some: Iterable[int]) -> tuple[int, ...] | None:
        """The columns that are edited in some rows, or received; None: all."""
        edited = named(self.rows.masks(name, some))
        if given is None or edited is None:
            return edited
        return None if given.chosen is None else tuple(sorted({*edited, *given.chosen}))

    def _before(self, name: str, chosen: tuple[int, ...] | None) -> Float[Tensor, "prompts rows n columns"]:
        """What enters the hook point."""
        if name == self.sparse.dictionary.error:
            x = self.sparse.error(self.stands, self.features)
        else:
            x = self.features if chosen is None else self.features[..., self._index(chosen)]
        return picked(x, self.back if x.shape[1] > 1 else [0] * len(self.back))

    def _index(self, chosen: tuple[int, ...]) -> Int[Tensor, " chosen"]:
        return placed(torch.tensor(chosen), self.at.device)
