"""One batch of prompts: from worlds to runs side by side, and from runs to readings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from circuitdsl.allocator import Heap
from circuitdsl.engine.base import SKETCH
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.answers import Answers, Taken
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.cached import Cached, Required, joined
from circuitdsl.engine.fast.caches import Caches, Tick, run_whole
from circuitdsl.engine.fast.changing import changing
from circuitdsl.engine.fast.coverage import reads_inside
from circuitdsl.engine.fast.dictionaries import Received
from circuitdsl.engine.fast.edits import Edit, first_step
from circuitdsl.engine.fast.frozen_pass import FrozenPass
from circuitdsl.engine.fast.full_pass import Arrivals, FullPass
from circuitdsl.engine.fast.hook_points import (
    is_of_dictionary,
    layer_of,
    residual,
)
from circuitdsl.engine.fast.masks import Mask, laid_out, union
from circuitdsl.engine.fast.memory import bytes_a_world, in_chunks
from circuitdsl.engine.fast.outside import Outside
from circuitdsl.engine.fast.progress import Passed, StackProgress, pass_silently
from circuitdsl.engine.fast.readers import Reader, laid_over
from circuitdsl.engine.fast.region import Region, all_asked, columns, narrow, only, onward, placed
from circuitdsl.engine.fast.required import required_of_patched
from circuitdsl.engine.fast.run_cache import FinishedRun
from circuitdsl.engine.fast.sketches import Slopes, slopes_of, within
from circuitdsl.engine.fast.variants import (
    Edited,
    Variant,
    by_tokens,
    features_of,
    first_layer_of,
    kept_by_layer,
    moving,
)
from circuitdsl.engine.fast.ways import Way, by_sent, carried, ways_to
from circuitdsl.engine.fast.worlds import Places, edits_of, keeping_nothing, keys_and_values, touched
from circuitdsl.engine.readings import finite, needed
from circuitdsl.engine.steps import EVERY_STEP, Part
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    EdgesKept,
    Intervened,
    Isolated,
    Metric,
    Patched,
    Reading,
    Sketched,
    Source,
    World,
    has_gradient,
)
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.models import Model

Asked = Mapping[World, Sequence[Reading]]


@dataclass(frozen=True)
class _Base:
    """The run that paths are patched in: the clean one, or one under an intervention with its edits."""

    run: FinishedRun
    edits: tuple[Edit, ...] = ()

    def recomputed(self, heads: int | None) -> tuple[Edit, ...]:
        """The edits that stay in force while heads are frozen, but for those of a layer: all that are of no heads, and
        of these."""
        return tuple(edit for edit in self.edits if not edit.of_heads or layer_of(edit.name) == heads)


@dataclass(frozen=True, eq=False)
class _Recomputed:
    """What a pass computes again of each world, attention too: the tokens of a region, in the layers before ``until``.
    Passes in which all heads are frozen are short beside the one from the receivers on, and not counted."""

    region: Region
    until: int


@dataclass(frozen=True, eq=False)
class _SideBySide:
    """Variants that can run side by side, each of which has so much computed again; and how some of them are run.
    ``bytes_of_one``: what one takes."""

    variants: Sequence[Variant]
    recomputed: Sequence[_Recomputed]
    run: Callable[[Sequence[Variant], Passed], Taken]
    first: Callable[[Variant], int]
    bytes_of_one: int

    def stack(self, memory: int) -> int:
        """How many make a stack."""
        return max(1, memory // self.bytes_of_one)


@dataclass(eq=False)
class _Replaced:
    """A run that keeps nothing of a replaced model, and what is required of it; None while it has not been made."""

    required: Required
    run: Mapping[str, Cached] | None = None
    making: AbstractContextManager[object] = field(default_factory=Lock)


_Stack = Sequence[tuple[_SideBySide, Variant]]
"""Variants of one plan that run side by side, each with the plan."""


@dataclass
class Work:
    """Everything that is done with one batch.

    ``memory`` is how many bytes worlds side by side may take; it is halved whenever that was too much. So many
    ``threads`` run stacks at once, each of that size. What stacks have freed goes back to the system from the ``heap``.
    Stacks are counted as they would be with the ``memory`` that was given, so that whoever runs some of them elsewhere
    counts the same.
    """

    network: Network
    model: Model
    batch: Batch
    caches: Caches
    answers: Answers
    memory: int
    threads: int
    tick: Tick
    heap: Heap

    def __post_init__(self) -> None:
        self.places = Places(self.batch, self.model.geometry)
        self.reader = Reader(self.batch, self.network, self.model.bridge, lambda: self.caches.clean.end)
        self.interventions: dict[Intervened, tuple[Edit, ...]] = {}
        self.given = self.memory
        self.planned: list[_SideBySide] = []
        self.replaced: list[_Replaced] = []
        self.replacing = Lock()
        self.slopes: dict[Metric, Slopes] = {}
        self.sketched: dict[tuple[Metric, Source, str], Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where the network runs. Where worlds edit, and which tokens are run, is planned on the CPU."""
        return self.batch.tokens.device

    def run(self, asked: Asked) -> None:
        """Answer every reading of every world."""
        self.begin(asked)
        self.take(EVERY_STEP)

    def begin(self, asked: Asked) -> None:
        """Answer what is read of shared runs, see which worlds change nothing, and plan the stacks of the others."""
        variants: list[Variant] = []
        for world in asked:
            try:
                self._begin(world, asked[world], variants)
            except CannotMeasure as reason:
                self.answers.unmade(world, reason)
        guarded = {variant.world: variant.edits for variant in variants if self.answers.unchanged(variant.world)}
        if guarded:
            self.answers.changed(changing(guarded, self.caches.clean.activations, self.batch.real))
        variants.sort(key=lambda variant: first_step(variant.edits))  # worlds that begin together run together
        groups: dict[Hashable, list[Variant]] = {}
        for variant in variants:
            groups.setdefault((features_of(variant), self._group(variant)), []).append(variant)
        under = self._under(variants)
        for group in groups.values():
            world = group[0].world
            match world:
                case Patched():
                    self._plan_patched(world, group, asked, under.get(world.under) or _Base(self.caches.clean))
                case Isolated():
                    self._plan_isolated(world, group, asked)
                case Ablated() | Intervened():
                    self._plan_recomputed(group, asked)
                case _:
                    assert_never(world)

    def take(self, part: Part) -> int:
        """Run some of the stacks that were planned, and count all of them."""
        stacks: list[_Stack] = []
        total = 0
        for side_by_side in self.planned:
            size = side_by_side.stack(self.given)
            first, stop = (max(0, step - total) for step in part)
            variants = side_by_side.variants[size * first : size * stop]
            now = side_by_side.stack(self.memory)
            stacks += [
                [(side_by_side, each) for each in variants[start : start + now]]
                for start in range(0, len(variants), now)
            ]
            total += -(-len(side_by_side.variants) // size)
        self.memory >>= in_chunks(stacks, self._run_stack, self._taken, self.threads)
        return total

    def _begin(self, world: World, readings: Sequence[Reading], variants: list[Variant]) -> None:
        """Answer a world that is a shared run; make a variant of any other. Raises CannotMeasure."""
        match world:
            case Clean():
                self._read_finished(world, readings, self.caches.clean)
            case Corrupted(counterfactual=name):
                self._read_finished(world, readings, self.caches.counterfactual(name))
            case Ablated() | Isolated() | Patched() | Intervened():
                variants.append(self._variant(world))
            case Sketched():
                self._read_sketched(world, readings)
            case EdgesKept():
                raise LookupError("runs of edges alone are the plain engine's")
            case _:
                assert_never(world)

    def _variant(self, world: Edited) -> Variant:
        """A world's edits. Raises CannotMeasure."""
        edits = edits_of(world, self.places, self.caches.values, self.caches.clean.activations)
        if isinstance(world, Patched):
            self.places.inputs(world.receivers)  # a receiver's position that a prompt lacks fails the world here
            self._in_force(world.under)
        return Variant((world,), edits)

    def _group(self, variant: Variant) -> Hashable:
        """Variants of one group can run side by side: over the same tokens, on top of the same run."""
        world = variant.world
        match world:
            case Patched(receivers=receivers, strict=strict, under=under):
                return Patched, receivers, strict, under
            case Isolated():
                return Outside.of(world)
            case Ablated() | Intervened():
                return tuple(touched(variant.edits, self.batch).int().argmax(1).tolist())
            case _:
                assert_never(world)

    # --- worlds in which everything is computed again --------------------------------------------

    def _plan_recomputed(self, variants: Sequence[Variant], asked: Asked) -> None:
        """Ablations and interventions whose first edited tokens are the same, on top of the clean run."""
        patterns = len(needed(reading for variant in variants for reading in asked[variant.world]))
        # Attention may be read at any token, also after the one at which the output is, and outputs swapped with there.
        until = self.batch.last if patterns or moving(variants) else self.batch.ends
        planned = onward(touched(variants[0].edits, self.batch), self.batch.ends, until)
        moved = touched((edit for variant in variants for edit in variant.edits if edit.moves), self.batch)
        assert planned.inside[moved].all(), "what is swapped is run at both of its tokens"
        region = planned.to(self.device)
        clean = self.caches.clean.activations

        def run(some: Sequence[Variant], passed: Passed) -> Taken:
            names = needed(reading for variant in some for reading in asked[variant.world])
            begins = list(map(first_layer_of, some))
            # For the same reason the last layer runs all of them.
            every = bool(names) or moving(some)
            x, recorded = self._pass(all_asked(region) if every else region, clean, begins, some, passed).run(names)
            end = narrow(x, region.asked) if every else x
            taken = self._of_variants(some, asked, self.network.final(end[:, :, 0]))
            for row, variant in enumerate(some):
                readings = asked[variant.world]
                here = {
                    name: laid_over(clean[name].whole, name, each.of(row), region)
                    for name, each in recorded.items()
                    if layer_of(name) >= begins[row]
                }
                self._read_inside(taken, variant.world, readings, _whole(clean, readings) | here)
            return taken

        self._plan(variants, [self._to_end(region)], run, first_layer_of, patterns)

    def _plan_isolated(self, world: Isolated, variants: Sequence[Variant], asked: Asked) -> None:
        """Variants that keep something of the same replaced model, on top of the run that keeps nothing."""
        outside = Outside.of(world)
        replaced = keeping_nothing(outside, self.places, self.caches.values(outside.source))
        everything = {edit.name for edit in replaced}
        kept = {variant: self._kept(variant, everything) for variant in variants}
        layers = range(self.model.geometry.n_layers)

        def begins(variant: Variant) -> int:
            """The layer in which it first keeps something: up to there it is the run that keeps nothing."""
            return min(map(layer_of, kept[variant]), default=layers[-1])

        # Heads that are not replaced move what is kept to later tokens.
        region_of = only if outside.stays(self.model.geometry) else onward
        tokens = {variant: union(masks.values(), self.batch.real) for variant, masks in kept.items()}
        groups = [(region_of(mask, self.batch.ends), some) for mask, some in by_tokens(tokens)]
        required: Required = dict.fromkeys(keys_and_values(layers[min(map(begins, variants)) :]))
        for planned, group in groups:
            required = joined(required, {residual(layer): planned.inside for layer in set(map(begins, group))})
        for planned, group in groups:
            region = planned.to(self.device)

            def run(some: Sequence[Variant], passed: Passed, region: Region = region) -> Taken:
                base = self._replaced(required, replaced)
                x = self._pass(region, base, list(map(begins, some)), some, passed).run()[0]
                return self._of_variants(some, asked, self.network.final(x[:, :, 0]))

            self._plan(sorted(group, key=kept_by_layer), [self._to_end(region)], run, begins)

    def _replaced(self, required: Required, edits: Sequence[Edit]) -> Mapping[str, Cached]:
        """The run that keeps nothing, made when the first stack of a plan on top of it is run, and cached until stacks
        of as many other plans are as there may be at once."""
        with self.replacing:
            found = next((each for each in self.replaced if each.required is required), None)
            if found is None:
                found = _Replaced(required)
                self.replaced = [*self.replaced, found][-self.threads :]
        with found.making:  # stacks run side by side, and those on top of it wait for it
            if found.run is None:
                self.tick(len(self.batch))
                found.run = run_whole(self.network, self.batch.tokens, required, edits)[1]
            return found.run

    def _kept(self, variant: Variant, replaced: Collection[str]) -> dict[str, Mask]:
        """Where a world keeps what replacing everything replaces, by hook point, for those that have such a place."""
        assert isinstance(variant.world, Isolated)
        kept = self.places.outputs(variant.world.kept)
        return {name: mask for name, mask in kept.items() if name in replaced and mask.any}

    def _pass(
        self,
        region: Region,
        base: Mapping[str, Cached],
        begins: Sequence[int],
        variants: Sequence[Variant],
        passed: Passed = pass_silently,
    ) -> FullPass:
        worlds = [variant.edits for variant in variants]
        return FullPass(self.network, self.batch.tokens, region, base, begins, worlds, passed=passed)

    # --- path patching ---------------------------------------------------------------------------

    def _in_force(self, under: Intervened | None) -> tuple[Edit, ...]:
        """The edits of an intervention that paths are patched under; none without one. Raises CannotMeasure."""
        if under is None:
            return ()
        if under not in self.interventions:
            self.interventions[under] = edits_of(under, self.places, self.caches.values, self.caches.clean.activations)
        return self.interventions[under]

    def _under(self, variants: Iterable[Variant]) -> dict[Intervened | None, _Base]:
        """The runs under interventions that variants patch paths in, each once, with what any of them requires."""
        required: dict[Intervened, Required] = {}
        for world in (variant.world for variant in variants):
            if isinstance(world, Patched) and world.under is not None:
                known = required.get(world.under, {})
                required[world.under] = joined(known, required_of_patched(world, self.places))
        found: dict[Intervened | None, _Base] = {}
        for under, activations in required.items():
            edits = self._in_force(under)
            found[under] = _Base(self._finished(Variant((under,), edits), activations), edits)
        return found

    def _finished(self, variant: Variant, required: Required) -> FinishedRun:
        """A variant on top of the clean run, with what is required of it; before its first edit, of the clean run."""
        planned = onward(touched(variant.edits, self.batch), self.batch.ends, self.batch.last)
        region = all_asked(planned).to(self.device)
        clean, first = self.caches.clean.activations, first_layer_of(variant)
        activations = {name: clean[name] for name in required}

        def record(name: str, values: Tensor, rows: Sequence[int]) -> None:
            activations[name] = clean[name].under(values[:, rows[0]], region, required[name])

        watched = dict.fromkeys((name for name in required if layer_of(name) >= first), record)
        x = self._pass(region, clean, [first], [variant]).watched(watched)
        self.tick(self._work(self._to_end(region), first))
        end = (planned.at == self.batch.ends[:, None]).int().argmax(1, keepdim=True)
        return FinishedRun(required, activations, narrow(x, placed(end, self.device))[:, 0, 0])

    def _plan_patched(self, world: Patched, variants: Sequence[Variant], asked: Asked, base: _Base) -> None:
        """Variants with the same receivers: a frozen pass over the receivers' tokens, and a full pass from there on."""
        inputs = self.places.inputs(world.receivers)
        received = union(inputs.values(), self.batch.real)
        region = onward(received, self.batch.ends).to(self.device)
        ways = ways_to(inputs, self.batch, len(self.network.blocks))
        reaching, nothing = carried(variants, ways, self.batch)

        def frozen(way: Way, at: Region, some: Sequence[Variant], passed: Passed) -> FrozenPass:
            return FrozenPass(
                self.network,
                self.batch.tokens,
                at,
                base.run.activations,
                min([*(first_layer_of(variant) for variant in some), *map(layer_of, way.inputs)]),
                [variant.edits for variant in some],
                way.inputs,
                world.strict,
                base.recomputed(way.heads),
                way.heads,
                passed,
            )

        for tokens, group in by_sent(reaching, ways, self.batch):
            regions = [only(each, self.batch.ends).to(self.device) for each in tokens]
            again = [
                _Recomputed(at, way.heads + 1) for way, at in zip(ways, regions, strict=True) if way.heads is not None
            ]

            def run(some: Sequence[Variant], passed: Passed, regions: Sequence[Region] = regions) -> Taken:
                passes = [frozen(way, at, some, passed) for way, at in zip(ways, regions, strict=True)]
                x = self._received(passes, inputs, region, base) if inputs else passes[0].final()
                return self._of_variants(some, asked, self._where_led(some, x[:, :, 0], base))

            self._plan(group, [self._to_end(region), *again], run, first_layer_of)
        if nothing:
            end = self.network.final(base.run.end[:, None])
            self.answers.add(self._of_variants([Variant(nothing, ())], asked, end))
            self.answers.hand_on(nothing)

    def _where_led(self, some: Sequence[Variant], x: Tensor, base: _Base) -> Tensor:
        """The final norm's output ``x`` [prompts, variants, d_model], in prompts in which nothing leads to a receiver
        that of the run that is patched: what stands beside a prompt must not change its figure."""
        if all(variant.led is None for variant in some):
            return x
        everywhere = torch.ones(len(self.batch), dtype=torch.bool)
        led = torch.stack([everywhere if variant.led is None else variant.led for variant in some], 1)
        return torch.where(placed(led, x.device)[..., None], x, self.network.final(base.run.end[:, None]))

    def _received(
        self, passes: Sequence[FrozenPass], inputs: Mapping[str, Mask], region: Region, base: _Base
    ) -> Tensor:
        """The final norm's output at END once the receivers alone are given what arrives at them."""
        arrivals: dict[str, Arrivals] = {}
        received: dict[str, Received] = {}
        for frozen in passes:
            # Where each of the region's tokens stands among those of the frozen pass; where it does not, 0, which the
            # masks of the inputs leave out.
            index = (region.at[:, :, None] == frozen.region.at[:, None, :]).int().argmax(-1)
            for name, values in frozen.inputs().items():
                if is_of_dictionary(name):
                    received[name] = Received.of(inputs[name], narrow(values, index), region.at)
                else:
                    arrivals[name] = Arrivals(laid_out([inputs[name]], region.at), narrow(values, index))
        worlds = [base.edits for _ in passes[0].worlds]
        begins = [min(map(layer_of, inputs))] * len(worlds)
        activations, passed = base.run.activations, passes[0].passed
        full = FullPass(
            self.network, self.batch.tokens, region, activations, begins, worlds, arrivals, received, passed=passed
        )
        return self.network.final(full.run()[0])

    # --- side by side ----------------------------------------------------------------------------

    def _plan(
        self,
        variants: Sequence[Variant],
        recomputed: Sequence[_Recomputed],
        run: Callable[[Sequence[Variant], Passed], Taken],
        first: Callable[[Variant], int],
        patterns: int = 0,
    ) -> None:
        """Have variants run side by side while the patterns of some layers are recorded.

        ``recomputed`` is what a variant has computed again, one after another. ``first`` is the layer in which it
        begins to differ from what it runs on top of.
        """
        features = max(map(features_of, variants), default=0)  # of a group, the same for all
        bytes_of_one = max(self._bytes_a_world(each.region, features, patterns) for each in recomputed)
        self.planned.append(_SideBySide(variants, recomputed, run, first, bytes_of_one))

    def _run_stack(self, stack: _Stack) -> Taken:
        """Run the variants of a stack side by side."""
        planned, some = stack[0][0], [variant for _, variant in stack]
        starts = [planned.first(variant) for variant in some]
        work = sum(self._work(each, start) for start in starts for each in planned.recomputed)
        progress = StackProgress(self.tick, work, min(starts), len(self.network.blocks))
        try:
            taken = planned.run(some, progress.passed)
        except (MemoryError, RuntimeError):
            progress.undo()
            raise
        progress.finish()
        return taken

    def _taken(self, stack: _Stack, taken: Taken) -> None:
        """Hand on the readings of a stack that has run."""
        self.answers.add(taken)
        self.heap.give_back()
        self.answers.hand_on(world for _, variant in stack for world in variant.worlds)

    def _bytes_a_world(self, region: Region, features: int, patterns: int) -> int:
        """What a world takes of memory in a pass over a region."""
        tokens = region.at.shape[1]
        keys = sum(at.shape[1] for at, _ in region.keys)
        return bytes_a_world(self.network, len(self.batch), tokens, keys, features, patterns)

    def _work(self, recomputed: _Recomputed, first: int) -> float:
        """The work of one world, on from a layer, in prompts through the model."""
        share, layers = recomputed.region.at.shape[1] / self.batch.tokens.shape[1], len(self.network.blocks)
        return len(self.batch) * share * max(0, recomputed.until - first) / layers

    def _to_end(self, region: Region) -> _Recomputed:
        return _Recomputed(region, len(self.network.blocks))

    # --- reading ---------------------------------------------------------------------------------

    def _read_finished(self, world: World, readings: Sequence[Reading], run: FinishedRun) -> None:
        """Everything that is read of a shared run."""
        taken = Taken()
        self._read_inside(taken, world, readings, _whole(run.activations, readings))
        self._read(taken, [world], {world: readings}, self.network.final(run.end[:, None]))
        self.answers.add(taken)
        self.answers.hand_on([world])

    def _read_sketched(self, world: Sketched, readings: Sequence[Reading]) -> None:
        """What is read of a world to first order. Raises CannotMeasure."""
        taken = Taken()
        masks = self.places.outputs(world.nodes)
        for reading in readings:
            if not has_gradient(reading):
                raise CannotMeasure("only a metric that has a gradient is estimated to first order")
            total = self._slopes(reading).metric
            for name, mask in masks.items():
                if (of := (reading, world.source, name)) not in self.sketched:
                    self.sketched[of] = self._slopes(reading).change(name, self.caches.values(world.source)[name])
                total = total + within(self.sketched[of], mask)
            taken.add(world, reading, finite(total.cpu().numpy()))
        self.answers.add(taken)
        self.answers.hand_on([world])

    def _slopes(self, metric: Metric) -> Slopes:
        if metric not in self.slopes:
            self.slopes[metric] = slopes_of(self.network, self.batch, metric, self.threads)
            self.tick(len(SKETCH) * len(self.batch))
        return self.slopes[metric]

    def _of_variants(self, variants: Sequence[Variant], asked: Asked, x: Tensor) -> Taken:
        """Readings of the logits of variants whose final norm gives ``x`` [prompts, variants, d_model] at END."""
        taken = Taken()
        worlds = [world for variant in variants for world in variant.worlds]
        rows = [row for row, variant in enumerate(variants) for _ in variant.worlds]
        self._read(taken, worlds, asked, x[:, columns(x, rows)])
        return taken

    def _read(self, taken: Taken, worlds: Sequence[World], asked: Asked, x: Tensor) -> None:
        """Read the logits of worlds whose final norm gives ``x`` [prompts, worlds, d_model] at END."""
        for reading in dict.fromkeys(reading for world in worlds for reading in asked[world]):
            if reads_inside(reading):
                continue
            rows = [row for row, world in enumerate(worlds) if reading in asked[world]]
            try:
                values = self.reader.readings(reading, x[:, columns(x, rows)])
            except CannotMeasure as reason:
                if len(rows) == 1:
                    taken.refuse(worlds[rows[0]], reading, reason)
                    continue
                for row in rows:  # it may be one of them alone, whose values overflow
                    self._read(taken, [worlds[row]], {worlds[row]: [reading]}, x[:, [row]])
                continue
            for column, row in enumerate(rows):
                taken.add(worlds[row], reading, np.ascontiguousarray(values[:, column]))

    def _read_inside(
        self, taken: Taken, world: World, readings: Iterable[Reading], activations: Mapping[str, Tensor]
    ) -> None:
        """Readings of attention and of heads' OV circuits, as the plain engine takes them."""
        for reading in filter(reads_inside, readings):
            try:
                values = self.reader.inside(reading, activations)
            except CannotMeasure as reason:
                taken.refuse(world, reading, reason)
            else:
                taken.add(world, reading, values)


def _whole(activations: Mapping[str, Cached], readings: Iterable[Reading]) -> dict[str, Tensor]:
    """The activations that readings need, at all tokens."""
    return {name: activations[name].whole for name in needed(readings)}
