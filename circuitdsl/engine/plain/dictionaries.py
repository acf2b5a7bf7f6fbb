"""Features and errors of dictionaries as hook points of their own, made of those that the model has.

x is what stands at a dictionary's point in the run at hand, after all other writes there, f its features, computed from
x or, by a transcoder, from what the MLP of the layer reads, and e = x - (f W_dec + b_dec) its error. Where f' and e'
are put in place of f and e, x becomes x + (f' - f) W_dec + (e' - e) (Marks et al. 2024): to the bit x where nothing is
replaced. Of several dictionaries at one point each takes its f and e from the same x, and their changes add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuitdsl.components import Dictionary
from circuitdsl.engine.plain.writes import Hook, Write
from circuitdsl.models import DictionaryWeights, open_dictionary


@dataclass
class Dictionaries:
    """The dictionaries that an engine has opened, in float32 on its device."""

    device: torch.device
    weights: dict[Dictionary, DictionaryWeights] = field(default_factory=dict[Dictionary, DictionaryWeights])
    names: dict[str, Dictionary] = field(default_factory=dict[str, Dictionary])

    def open(self, dictionaries: Iterable[Dictionary]) -> None:
        """Have these too. Raises ModelError."""
        for dictionary in dictionaries:
            if dictionary not in self.weights:
                self.weights[dictionary] = open_dictionary(dictionary).to(self.device)
                self.names |= dict.fromkeys(dictionary.hook_points, dictionary)

    def hooks(
        self, writes: Sequence[Write], names: Collection[str], passed: dict[str, Tensor]
    ) -> Iterator[tuple[str, Hook]]:
        """Hooks on the model's own points that make writes to hook points of dictionaries, and put what passes the
        named ones into ``passed``."""
        used = {self.names[name] for name in (*(write.name for write in writes), *names)}
        by_point: dict[str, list[_Use]] = {}
        for dictionary in sorted(used):  # sums come out the same in every process
            its = [write for write in writes if self.names[write.name] == dictionary]
            use = _Use(dictionary, self.weights[dictionary], its, frozenset(names), passed)
            if dictionary.transcoder:
                yield dictionary.reads, use.keep_read
            by_point.setdefault(dictionary.stands_at, []).append(use)
        for point, uses in by_point.items():
            yield point, _adding_up(uses)


@dataclass(repr=False)  # TransformerLens names every hook by its repr, and a tensor's takes long
class _Use:
    """A dictionary in one pass: what is written to its hook points there, and which of them are captured."""

    dictionary: Dictionary
    weights: DictionaryWeights
    writes: Sequence[Write]
    names: Collection[str]
    passed: dict[str, Tensor]
    read: Tensor | None = None

    def keep_read(self, activation: Tensor, hook: object) -> None:
        """Keep what a transcoder reads."""
        self.read = activation

    def change(self, stands: Tensor) -> Tensor | None:
        """By how much what stands at its point changes; None where nothing is written."""
        x = stands.float()
        read = x
        if self.dictionary.transcoder:
            assert self.read is not None, "an MLP reads before it writes"
            read = self.read.float()
        features = self.weights.features(self._through(self.dictionary.read_as, read))
        error = x - self.weights.decoded(features)
        replaced = self._through(self.dictionary.features, features)
        left = self._through(self.dictionary.error, error)
        return (replaced - features) @ self.weights.W_dec + (left - error) if self.writes else None

    def _through(self, name: str, activation: Tensor) -> Tensor:
        """What leaves a hook point of the dictionary."""
        for write in self.writes:
            if write.name == name:
                activation = write(activation, None)
        if name in self.names:
            self.passed[name] = activation.detach().clone()
        return activation


def _adding_up(uses: Sequence[_Use]) -> Hook:
    def add(activation: Tensor, hook: object) -> Tensor | None:
        changes = [change for use in uses if (change := use.change(activation)) is not None]
        return activation + torch.stack(changes).sum(0).to(activation.dtype) if changes else None

    return add
