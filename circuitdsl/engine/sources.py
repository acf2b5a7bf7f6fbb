"""Where replaced activations come from: zeros, means, another prompt, the prompt's own counterfactual."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, groupby, pairwise
from typing import Protocol, TypeVar, assert_never

import torch
from torch import Tensor

from circuitdsl.engine.batch import Batch, counterfactual, counterfactual_tokens, padded
from circuitdsl.engine.hook_names import Activations
from circuitdsl.engine.mean_store import Means
from circuitdsl.engine.references import Group, References
from circuitdsl.engine.slices import in_batches
from circuitdsl.engine.store import key_of
from circuitdsl.measures.experiments import FromCounterfactual, Mean, Resample, Source, Zero
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.tasks.prompts import Prompt

Item = TypeVar("Item")
Result = TypeVar("Result")


_Labelled = tuple[Sequence[str], Sequence["Prompt"]]
"""Prompts, and of each the label of its group."""


class Each(Protocol):
    """Calls a function with each of several items and gives what it returns, in their order."""

    def __call__(self, run: Callable[[Item], Result], items: Sequence[Item], /) -> Iterable[Result]: ...


def one_by_one(run: Callable[[Item], Result], items: Sequence[Item]) -> Iterable[Result]:
    """Calls it with one item after the other."""
    return map(run, items)


class Forward(Protocol):
    """Runs tokens [rows, length] and gives, by hook point, what ``take`` makes of the outputs of components there, each
    [rows, length, ...]. What it does not keep need not stay in memory until the run ends."""

    def __call__(self, tokens: Tensor, take: Callable[[Tensor], Result], /) -> dict[str, Result]: ...


def _as_it_is(outputs: Tensor) -> Tensor:
    return outputs


@dataclass(frozen=True)
class Sources:
    """Replacement values for prompts.

    ``forward`` gives what passes the hook points of all embeddings, heads and MLPs, and the ``further`` ones;
    ``tokens`` is how many tokens it may take at once. Means that are not known, or lack a further hook point, are made
    and kept in ``references.means``; their passes are made by ``each``, in pieces of about ``piece`` tokens. Those
    ``made_by`` an engine are its own: those of another differ in their last digits, and which of two engines comes
    first is a matter of what is known already.
    """

    forward: Forward
    tokens: int
    made_by: str
    references: References
    further: frozenset[str] = frozenset()
    each: Each = one_by_one
    piece: int = sys.maxsize

    def values(self, source: Source, batch: Batch) -> Activations:
        """Values by hook point, each broadcasting to [prompts, length, ...]. Raises CannotMeasure."""
        match source:
            case Zero():
                return _Zeros(batch.tokens.device)
            case FromCounterfactual(counterfactual=name):
                return self.forward(counterfactual_tokens(batch, name), _as_it_is)
            case Resample():
                return self.forward(self._partners(source, batch), _as_it_is)
            case Mean():
                return self._laid_out(source, batch)
            case _:
                assert_never(source)

    def _partners(self, source: Resample, batch: Batch) -> Tensor:
        """The counterfactual tokens of another prompt of the same template and length, for each prompt."""
        reference = self.references.of[source]
        rows = [_partner(prompt, reference.group_of(prompt).prompts, source) for prompt in batch.prompts]
        return padded(rows, batch.tokens.device)

    def _laid_out(self, source: Mean, batch: Batch) -> Activations:
        """For each prompt the means of its group, [prompts, length, ...]: by token, padded, or the same at all."""
        means, reference = self._means(source, batch.tokens.device), self.references.of[source]
        rows = [means[reference.group_of(prompt).label] for prompt in batch.prompts]
        length = batch.tokens.shape[1]
        if source.by_template:
            for prompt, row in zip(batch.prompts, rows, strict=True):
                _check_length(prompt, row)
            return {hook: _stacked([row[hook] for row in rows], length) for hook in rows[0]}
        stacked = {hook: torch.stack([row[hook] for row in rows]) for hook in rows[0]}
        return {hook: each[:, None].expand(-1, length, *each.shape[1:]) for hook, each in stacked.items()}

    def _means(self, source: Mean, device: torch.device) -> Means:
        """Mean activations by the groups of the reference: [length, ...], or over all tokens [...]."""
        reference, store = self.references.of[source], self.references.means
        key = key_of(source, reference.key, self.made_by)
        groups = tuple(reference.labelled())
        known = store.get(key, device)
        if known is None or not self._complete(known, groups):
            known = self._made(groups, source)
            store.put(key, known)
        return known

    def _complete(self, known: Means, groups: Sequence[Group]) -> bool:
        """Whether there are means of every group, at the same hook points and at the further ones."""
        hooks = [frozenset(known.get(group.label, {})) for group in groups]
        return all(each and each == hooks[0] and self.further <= each for each in hooks)

    def _made(self, groups: Sequence[Group], source: Mean) -> Means:
        """The mean of every group, of passes in which the prompts of several groups stand side by side."""
        if source.by_template:
            for group in groups:
                _check_mean(group.prompts)
        labels = [group.label for group in groups for _ in group.prompts]
        batches = in_batches([prompt for group in groups for prompt in group.prompts], self.tokens)
        bounds = pairwise(accumulate(map(len, batches), initial=0))
        passes = [
            piece
            for (first, last), some in zip(bounds, batches, strict=True)
            for piece in _pieces(labels[first:last], some, self.piece)
        ]
        means: dict[str, Activations] = {}
        sums: dict[str, _Sum] = {}
        for parts in self.each(partial(self._pass, source), passes):
            for label in sums.keys() - parts.keys():  # a group stands together, so that this one is complete
                means[label] = sums.pop(label).mean()
            for label, part in parts.items():
                sums.setdefault(label, _Sum()).join(part)
        means |= {label: each.mean() for label, each in sums.items()}
        return {group.label: means[group.label] for group in groups}

    def _pass(self, source: Mean, labelled: _Labelled) -> dict[str, _Sum]:
        """The sums of one pass's prompts, by the labels of their groups; those of one label stand together."""
        labels, prompts = labelled
        rows = [_replacing(prompt, source.counterfactual) for prompt in prompts]
        lengths = [len(row) for row in rows]
        starts = {label: labels.index(label) for label in labels}
        places = {label: slice(start, start + labels.count(label)) for label, start in starts.items()}

        def summed(outputs: Tensor) -> dict[str, Tensor]:
            return {label: _total(outputs[at], lengths[at], source.by_template) for label, at in places.items()}

        totals = self.forward(padded(rows, torch.device("cpu")), summed)
        return {
            label: _Sum(
                {hook: by_label[label] for hook, by_label in totals.items()},
                len(lengths[at]) if source.by_template else sum(lengths[at]),
            )
            for label, at in places.items()
        }


def _pieces(labels: Sequence[str], prompts: Sequence[Prompt], tokens: int) -> Iterator[_Labelled]:
    """The prompts of one pass in pieces that can be run at the same time. What of a group stands in one pass stays
    together, so that its sum is the same however many tokens a piece has."""
    first, longest = 0, 0
    for _, several in groupby(range(len(labels)), key=labels.__getitem__):
        group = [*several]
        longest = max(longest, *(len(prompts[place].tokens) for place in group))
        if group[0] > first and (group[-1] + 1 - first) * longest > tokens:
            yield labels[first : group[0]], prompts[first : group[0]]
            first, longest = group[0], max(len(prompts[place].tokens) for place in group)
    yield labels[first:], prompts[first:]


def _total(outputs: Tensor, lengths: Sequence[int], by_token: bool) -> Tensor:
    """Outputs [rows, length, ...] summed over rows, [length, ...], and over their tokens too, [...], unless these stay
    apart ``by_token``. Rows have so many tokens before their padding."""
    if by_token:  # the rows of a template are equally long
        return outputs[:, : lengths[0]].double().sum(0)
    real = torch.arange(outputs.shape[1]) < torch.tensor(lengths)[:, None]
    return outputs[real.to(outputs.device)].double().sum(0)


@dataclass
class _Sum:
    """Outputs by hook point, summed over so many rows, or over all their tokens."""

    totals: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    count: int = 0

    def join(self, other: _Sum) -> None:
        """Add what another one has summed."""
        for hook, part in other.totals.items():
            self.totals[hook] = self.totals[hook] + part if hook in self.totals else part
        self.count += other.count

    def mean(self) -> Activations:
        """[length, ...] by hook point, or [...] over all tokens."""
        return {hook: (total / self.count).float() for hook, total in self.totals.items()}


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


def _replacing(prompt: Prompt, name: str) -> tuple[int, ...]:
    """The tokens of a prompt's counterfactual, or its own for the name "". Raises CannotMeasure."""
    return counterfactual(prompt, name) if name else prompt.tokens


def _check_mean(prompts: Sequence[Prompt]) -> None:
    """Refuse prompts of one template that have no mean by template. Raises CannotMeasure."""
    template = prompts[0].template
    lengths = sorted({len(prompt.tokens) for prompt in prompts})
    if len(lengths) > 1:
        raise CannotMeasure(
            f"prompts of the template {template} have {lengths[0]} to {lengths[-1]} tokens, so there is no mean by "
            "template: give prompts of different lengths different templates, or write `ablate mean`"
        )
    if len(prompts) == 1:
        raise CannotMeasure(
            f"the template {template} has one prompt, whose `mean by template` would be its own counterfactual: write "
            "`ablate counterfactual` if that is meant, or `ablate mean`, or give the template more prompts"
        )


def _check_length(prompt: Prompt, means: Activations) -> None:
    """Refuse a prompt that is longer or shorter than those of its template whose mean was taken."""
    length = len(next(iter(means.values())))
    if length != len(prompt.tokens):
        raise CannotMeasure(
            f"{prompt.text!r} has {len(prompt.tokens)} tokens and the mean of its template {prompt.template} is over "
            f"prompts of {length}: give prompts of different lengths different templates, or write `ablate mean`"
        )


def _partner(prompt: Prompt, group: Sequence[Prompt], source: Resample) -> tuple[int, ...]:
    """The counterfactual of another prompt of the same template and length, neither this prompt nor its own one.

    It is picked by a hash, so that it never depends on the batch.
    """
    name = source.counterfactual
    own = (prompt.tokens, counterfactual(prompt, name))
    rows = (
        counterfactual(other, name)
        for other in group
        if other.template == prompt.template
        and len(other.tokens) == len(prompt.tokens)
        and other.tokens != prompt.tokens
    )
    alike = [row for row in rows if row not in own]
    if not alike:
        raise CannotMeasure(
            f"none of the {len(group)} prompts of the reference is another one of the template {prompt.template} and "
            f"length {len(prompt.tokens)}, to resample {prompt.text!r} from: give that template more prompts of this "
            "length, or write `ablate counterfactual` or `ablate zero`, which need no other prompt"
        )
    digest = hashlib.sha256(repr((source.seed, prompt.tokens)).encode()).digest()
    return alike[int.from_bytes(digest[:8], "big") % len(alike)]
