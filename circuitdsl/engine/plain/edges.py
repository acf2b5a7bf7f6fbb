"""A run in which only stated edges carry what the prompts have, and all else is that of their counterfactuals.

One pass over copies of the prompts, side by side, so that all of a layer is there when it is needed:

1. Copy 0 holds the counterfactuals and copy 1 the prompts; nothing is done to them. The others start as copy 0 does.
2. Where a layer's heads read, each edited copy gets a residual stream: that of copy 0, plus, for each edge that arrives
   and where its ends are one token, the sender's output in this run less its output in copy 0. Inputs at which the same
   arrives share a copy.
3. The queries, keys and values of a head that edges lead to are put together from these copies, from copy 0 where
   nothing arrives; its output then is its output in this run.
4. The MLP of the layer likewise, and the logits last. A sender that no edge leads to has its output of copy 0, but for
   the token embedding, whose output in this run is that of copy 1.
5. Features and errors of what heads or an MLP write are those of a copy in which all heads of the layer, or its MLP,
   read what arrives. What one puts out is the change of its value since copy 0, as its dictionary writes it.

That the residual stream is the sum of all outputs is checked on the way, between copies 0 and 1: where outputs are
normed before they are added, as in Gemma 2, there is no such run. Miller et al. 2024; Mueller et al. 2025 (MIB).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from circuitdsl.components import (
    Component,
    Dictionary,
    Embed,
    ErrorTerm,
    Feature,
    Geometry,
    Head,
    Mlp,
    OfDictionary,
    PosEmbed,
)
from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch, mask_of
from circuitdsl.engine.plain.arrivals import CLEAN, COUNTERFACTUAL, FIRST, Arrivals, Arriving
from circuitdsl.engine.plain.writes import Hook
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.models import DictionaryWeights

Edit = Callable[[Tensor], None]
"""Reads and changes what passes a hook point, in place: [copies, prompts, length, ...]."""

KINDS = (Head, Mlp, Embed, PosEmbed, Feature, ErrorTerm)


def before(layer: int) -> str:
    """The hook point of the residual stream that a layer's heads read."""
    return f"blocks.{layer}.hook_resid_pre"


def within(layer: int) -> str:
    """The hook point of the residual stream that a layer's MLP reads, if it does not read that of the heads."""
    return f"blocks.{layer}.hook_resid_mid"


def after(layer: int) -> str:
    """The hook point of the residual stream after a layer."""
    return f"blocks.{layer}.hook_resid_post"


@dataclass
class EdgesRun:
    """The run over one batch. ``write_out`` is W_O: [layers, heads, d_head, d_model]; ``dictionaries`` are those of the
    features and errors at the ends of edges.

    ``changes`` holds each sender's output in this run less its output on the counterfactual, as it is added to the
    residual stream: [prompts, length, d_model]. ``expected`` is how the whole stream differs between the first
    two copies. Raises CannotMeasure for kinds of components that it does not know.
    """

    batch: Batch
    geometry: Geometry
    write_out: Float[Tensor, "layers heads d_head d_model"]
    arrivals: Arrivals
    dictionaries: Mapping[Dictionary, DictionaryWeights] = field(default_factory=dict[Dictionary, DictionaryWeights])
    changes: dict[Component, Tensor] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    read: dict[int, Tensor] = field(default_factory=dict)
    expected: Tensor | None = None

    def __post_init__(self) -> None:
        for component in sorted({each for each, _ in self.arrivals.inputs} | self._senders(), key=str):
            if type(component) not in KINDS:
                raise CannotMeasure(
                    f"a run of edges alone knows no {component}: its edges lead to heads, MLPs and features of these"
                )
            if isinstance(component, OfDictionary) and not component.dictionary.summed:
                raise CannotMeasure(f"{component} is of all that was written before its layer, and no edge leads there")
        for arriving in (*self.arrivals.inputs.values(), self.arrivals.logits):
            _refuse_twice({sender.component for sender, _ in arriving})
        for (component, _), arriving in self.arrivals.inputs.items():
            if isinstance(component, OfDictionary):
                if len(self.arrivals.places.get(component, ())) > 1:
                    raise CannotMeasure(f"edges lead to {component} at several positions: write a circuit for each")
                _refuse_what_it_is_made_of(component, {sender.component for sender, _ in arriving})

    @property
    def copies(self) -> int:
        """How many copies of the prompts stand side by side."""
        begun = (self._spare(each) + len(self.arrivals.through_heads(each)) for each in range(self.geometry.n_layers))
        return max(self.arrivals.copies, *begun)

    def _spare(self, layer: int) -> int:
        """The first copy in which nothing is put together for receiving heads."""
        return FIRST + max(len(self.arrivals.at_start(layer)), len(self.arrivals.turns(layer, self.geometry)))

    def tokens(self, counterfactual: Tensor) -> Tensor:
        """The tokens of all copies: [copies x prompts, length]."""
        rest = [counterfactual] * (self.copies - FIRST)
        return torch.cat([counterfactual, self.batch.tokens, *rest])

    def logits(self, whole: Tensor) -> Tensor:
        """The logits at END [prompts, vocabulary] out of those of all copies [copies x prompts, length, vocabulary].

        Raises CannotMeasure if a hook never ran.
        """
        silent = sorted({name for name, _ in self.edits()} - self.passed)
        if silent:
            raise CannotMeasure(f"nothing passed through {', '.join(silent)}, so no edges can be kept there")
        rows = torch.arange(len(self.batch), device=whole.device)
        return self._by_copy(whole)[FIRST, rows, self.batch.ends]

    def hooks(self) -> list[tuple[str, Hook]]:
        """What is done at each hook point, in the order of computation."""
        return [(name, self._hook(name, edit)) for name, edit in self.edits()]

    def _hook(self, name: str, edit: Edit) -> Hook:
        def write(activation: Tensor, hook: object) -> Tensor:
            self.passed.add(name)
            changed = activation.clone()
            edit(self._by_copy(changed))
            return changed

        return write

    def _by_copy(self, activation: Tensor) -> Tensor:
        return activation.unflatten(0, (self.copies, len(self.batch)))

    # --- what is done where ------------------------------------------------------------------------

    def edits(self) -> list[tuple[str, Edit]]:
        """Every hook point with what is done there."""
        found: list[tuple[str, Edit]] = []
        for layer in range(self.geometry.n_layers):
            found.append((before(layer), self._begin(layer)))
            if self.arrivals.heads(layer):
                found += [(Head(layer, 0).receives(which), self._read(layer, which)) for which in Head.inputs]
            found.append((hook_names.z(layer), self._heads_wrote(layer)))
            found += self._parts(layer, "attn_out")
            if self.geometry.d_mlp:
                if self.arrivals.within(layer):
                    found.append((within(layer), self._to_mlp(layer)))
                found += self._reads(layer)
                found.append((Mlp(layer).output, self._mlp_wrote(layer)))
                found += self._parts(layer, "mlp_out")
        return [*found, (after(self.geometry.n_layers - 1), self._to_logits)]

    def _begin(self, layer: int) -> Edit:
        """What arrives at the heads, and in parallel models at the MLP. All that differs before the first layer is what
        the tokens' embedding has written: positions are those of the prompt."""

        def edit(stream: Tensor) -> None:
            if layer == 0:
                self.expected = (stream[CLEAN] - stream[COUNTERFACTUAL]).clone()
                self.changes[Embed()] = self.expected
            self._check_sum(stream, layer)
            for copy, arriving in enumerate(self.arrivals.at_start(layer), FIRST):
                stream[copy] = self._stream(stream[COUNTERFACTUAL], arriving)
            for copy, arriving in enumerate(self.arrivals.through_heads(layer), self._spare(layer)):
                stream[copy] = self._stream(stream[COUNTERFACTUAL], arriving)

        return edit

    def _read(self, layer: int, which: str) -> Edit:
        """The input of every receiving head, out of the copy at which the same arrives, into the copy of its turn."""

        def edit(read: Tensor) -> None:
            found = read.clone()
            for copy, heads in enumerate(self.arrivals.turns(layer, self.geometry), FIRST):
                for head in heads:
                    column = _column(head, which, self.geometry)
                    read[copy, ..., column, :] = found[self._copy(layer, self.arrivals.at(head, which)), ..., column, :]

        return edit

    def _heads_wrote(self, layer: int) -> Edit:
        """The outputs of the receiving heads, each out of the copy of its turn."""

        def edit(z: Tensor) -> None:
            for copy, heads in enumerate(self.arrivals.turns(layer, self.geometry), FIRST):
                for head in heads:
                    column = _column(head, "", self.geometry)
                    change = z[copy, ..., column, :] - z[COUNTERFACTUAL, ..., column, :]
                    self.changes[head] = change @ self.write_out[layer, head.index].to(z.dtype)
            change = torch.einsum("pthd,hdm->ptm", z[CLEAN] - z[COUNTERFACTUAL], self.write_out[layer].to(z.dtype))
            self._expect(change)

        return edit

    def _to_mlp(self, layer: int) -> Edit:
        def edit(stream: Tensor) -> None:
            for copy, arriving in enumerate(self.arrivals.within(layer), FIRST):
                stream[copy] = self._stream(stream[COUNTERFACTUAL], arriving)

        return edit

    def _mlp_wrote(self, layer: int) -> Edit:
        arriving = self.arrivals.at(Mlp(layer), "")

        def edit(output: Tensor) -> None:
            if arriving:
                copy = self._copy_at_mlp(layer, arriving)
                self.changes[Mlp(layer)] = output[copy] - output[COUNTERFACTUAL]
            self._expect(output[CLEAN] - output[COUNTERFACTUAL])

        return edit

    # --- features and errors -------------------------------------------------------------------------

    def _reads(self, layer: int) -> list[tuple[str, Edit]]:
        """Where transcoders read."""
        parts = self.arrivals.parts(layer, "mlp_out")

        def edit(read: Tensor) -> None:
            self.read[layer] = read.clone()

        return [(name, edit) for name in {each.dictionary.reads for each in parts if each.dictionary.transcoder}]

    def _parts(self, layer: int, point: str) -> list[tuple[str, Edit]]:
        """The outputs of the features and errors of what stands at a point, dictionary by dictionary."""
        by_dictionary: dict[Dictionary, list[OfDictionary]] = {}
        for part in self.arrivals.parts(layer, point):
            by_dictionary.setdefault(part.dictionary, []).append(part)
        return [
            (dictionary.stands_at, self._parts_wrote(dictionary, parts)) for dictionary, parts in by_dictionary.items()
        ]

    def _parts_wrote(self, dictionary: Dictionary, parts: Sequence[OfDictionary]) -> Edit:
        weights = self.dictionaries[dictionary]

        def edit(stands: Tensor) -> None:
            read = self.read[dictionary.layer] if dictionary.transcoder else stands
            copies = {part: self._copy_of(part) for part in parts}
            features = {each: weights.features(read[each].float()) for each in {COUNTERFACTUAL, *copies.values()}}
            for part, copy in copies.items():
                now, then = features[copy], features[COUNTERFACTUAL]
                if isinstance(part, Feature):
                    change = (now - then)[..., part.index, None] * weights.W_dec[part.index]
                else:
                    change = (stands[copy] - stands[COUNTERFACTUAL]).float() - (now - then) @ weights.W_dec
                where = [mask_of(self.batch, position) for position in self.arrivals.places.get(part, ())]
                kept = torch.stack(where).any(0)[..., None] if where else 1
                self.changes[part] = change.to(stands.dtype) * kept

        return edit

    def _copy_of(self, part: OfDictionary) -> int:
        layer, arriving = part.layer, self.arrivals.at(part, "")
        if part.dictionary.point == "attn_out":
            return self._spare(layer) + self.arrivals.through_heads(layer).index(arriving)
        return self._copy_at_mlp(layer, arriving)

    def _to_logits(self, stream: Tensor) -> None:
        self._check_sum(stream, self.geometry.n_layers)
        stream[FIRST] = self._stream(stream[COUNTERFACTUAL], self.arrivals.logits)

    # --- residual streams --------------------------------------------------------------------------

    def _copy(self, layer: int, arriving: Arriving) -> int:
        """The copy into which this was put at the layer's start; that of the counterfactuals where nothing arrives."""
        return FIRST + self.arrivals.at_start(layer).index(arriving) if arriving else COUNTERFACTUAL

    def _copy_at_mlp(self, layer: int, arriving: Arriving) -> int:
        """The copy whose MLP reads this."""
        if self.arrivals.parallel:
            return self._copy(layer, arriving)
        return FIRST + self.arrivals.within(layer).index(arriving)

    def _stream(self, counterfactual: Tensor, arriving: Arriving) -> Tensor:
        """The counterfactual's stream and what arrives in it. Raises CannotMeasure where a prompt lacks a position."""
        meet: dict[Component, Tensor] = {}
        for sender, position in arriving:
            tokens = mask_of(self.batch, sender.position) & mask_of(self.batch, position)
            meet[sender.component] = meet.get(sender.component, torch.zeros_like(tokens)) | tokens
        stream = counterfactual.clone()
        for component in sorted(meet, key=str):
            if component in self.changes:  # else no edge leads to it: its output is that on the counterfactual
                stream += meet[component][..., None] * self.changes[component]
        return stream

    def _senders(self) -> set[Component]:
        arriving = (*self.arrivals.inputs.values(), self.arrivals.logits)
        return {sender.component for some in arriving for sender, _ in some}

    # --- whether outputs add up --------------------------------------------------------------------

    def _expect(self, change: Tensor) -> None:
        assert self.expected is not None
        self.expected = self.expected + change

    def _check_sum(self, stream: Tensor, layer: int) -> None:
        """Raise CannotMeasure if what the layers so far wrote is not what stands in the residual stream."""
        assert self.expected is not None
        tolerance = max(1e-3, 16 * torch.finfo(stream.dtype).eps) * float(stream[: CLEAN + 1].abs().max())
        off = (stream[CLEAN] - stream[COUNTERFACTUAL] - self.expected)[self.batch.real].abs().max()
        if float(off) > tolerance:
            raise CannotMeasure(
                f"before layer {layer} the residual stream of {self.geometry.model} is not the sum of what its heads "
                "and MLPs put out, so that single edges cannot be kept: name roles, and leave `edges` out"
            )


def _refuse_twice(senders: Iterable[Component]) -> None:
    """Raise CannotMeasure where a part of what is written would arrive twice."""
    firsts: dict[str, Component] = {}
    for each in sorted(senders, key=str):
        point = each.dictionary.summed if isinstance(each, OfDictionary) else each.output
        first = firsts.setdefault(point, each)
        if _made_up_of(first) != _made_up_of(each):
            raise CannotMeasure(f"{first} and {each} are parts of one output, which would arrive twice: name either")


def _made_up_of(component: Component) -> Dictionary | None:
    return component.dictionary if isinstance(component, OfDictionary) else None


def _refuse_what_it_is_made_of(part: OfDictionary, senders: Iterable[Component]) -> None:
    """Raise CannotMeasure for an edge into a feature or an error from what is added up where it stands."""
    for each in sorted(senders, key=str):
        if each.output == part.dictionary.summed:
            raise CannotMeasure(f"{part} is a part of what {each} writes, so that no edge alone leads there")


def _column(head: Head, which: str, geometry: Geometry) -> int:
    found = head.column(which, geometry)
    assert found is not None, "heads have a column of their own at every hook point"
    return found[0]
