"""One batch of prompts: from worlds to runs side by side, and from runs to readings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast import wants
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.caches import Caches, Tick, run_whole
from circuitdsl.engine.fast.edits import Edit, first_point
from circuitdsl.engine.fast.frozen import OnTheWay
from circuitdsl.engine.fast.held import Held, Wanted, joined
from circuitdsl.engine.fast.live import Arrivals, Stack
from circuitdsl.engine.fast.memory import bytes_a_world, in_chunks
from circuitdsl.engine.fast.points import layer_of, parts_at, residual
from circuitdsl.engine.fast.readers import Reader, laid_over, reads_inside
from circuitdsl.engine.fast.region import Region, all_asked, narrow, only, onward, take
from circuitdsl.engine.fast.shelf import Passed
from circuitdsl.engine.fast.worlds import Places, edits_of, keys_and_values, touched, union
from circuitdsl.engine.readings import needed, read
from circuitdsl.measures.experiments import Clean, Corrupted, Intervened, Isolated, Patched, Reading, World
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.models import Model
from circuitdsl.plan.fast import ALMOST

Asked = Mapping[World, Sequence[Reading]]


@dataclass(frozen=True, eq=False)
class Job:
    """Edits over this batch, and the worlds that come to them: one, but where several differ in nothing that counts."""

    worlds: tuple[World, ...]
    edits: tuple[Edit, ...]

    @property
    def world(self) -> World:
        return self.worlds[0]


@dataclass(frozen=True)
class _Base:
    """The run that paths are patched in: the clean one, or one under an intervention with its edits."""

    passed: Passed
    edits: tuple[Edit, ...] = ()

    @property
    def recomputed(self) -> tuple[Edit, ...]:
        """The edits that stay in force while heads are frozen: those of MLPs and embeddings."""
        return tuple(edit for edit in self.edits if not edit.of_heads)


@dataclass
class Work:
    """Everything that is done with one batch. ``memory`` is what stacks may take, halved whenever it was too much."""

    network: Network
    model: Model
    batch: Batch
    caches: Caches
    answers: Answers
    memory: int
    tick: Tick

    def __post_init__(self) -> None:
        self.places = Places(self.batch, self.model.geometry)
        self.reader = Reader(self.batch, self.network, self.model.bridge)
        self.interventions: dict[Intervened, tuple[Edit, ...]] = {}

    def run(self, asked: Asked) -> None:
        """Answer every reading of every world."""
        jobs: list[Job] = []
        for world in asked:
            try:
                self._begin(world, asked[world], jobs)
            except CannotMeasure as reason:
                self.answers.unmade(world, reason)
        jobs.sort(key=lambda job: first_point(job.edits))  # worlds that begin together stand together
        groups: dict[Hashable, list[Job]] = {}
        for job in jobs:
            groups.setdefault(self._group(job), []).append(job)
        under = self._under(jobs)
        for group in groups.values():
            match group[0].world:
                case Patched() as world:
                    self._run_patched(world, group, asked, under.get(world.under) or _Base(self.caches.clean))
                case Isolated():
                    self._run_isolated(group[0].world, group, asked)
                case _:
                    self._run_recomputed(group, asked)

    def _begin(self, world: World, readings: Sequence[Reading], jobs: list[Job]) -> None:
        """Answer a world that is a shared run; make a job of any other. Raises CannotMeasure."""
        if isinstance(world, Clean | Corrupted):
            passed = self.caches.clean if isinstance(world, Clean) else self.caches.counterfactual(world.counterfactual)
            self._read_inside(world, readings, _whole(passed.kept, readings))
            self._read([world], {world: readings}, self.network.final(passed.end[:, None]))
            return
        edits = edits_of(world, self.places, self.caches.values, self.caches.clean.kept)
        if isinstance(world, Patched):
            self.places.inputs(world.receivers)  # a receiver's position that a prompt lacks fails the world here
            self._in_force(world.under)
        if self.caches.changed(edits):
            self.answers.changed(world)
        jobs.append(Job((world,), edits))

    def _group(self, job: Job) -> Hashable:
        """Jobs of one group can run side by side: over the same tokens, on top of the same run."""
        match job.world:
            case Patched(receivers=receivers, strict=strict, under=under):
                return Patched, receivers, strict, under
            case Isolated(source=source, mlps=mlps):
                return Isolated, source, mlps
            case _:
                return tuple(touched(job.edits, self.batch).int().argmax(1).tolist())

    # --- worlds in which everything recomputes ---------------------------------------------------

    def _run_recomputed(self, jobs: Sequence[Job], asked: Asked) -> None:
        """Ablations and interventions whose first edited tokens are the same, on top of the clean run."""
        region = onward(touched(jobs[0].edits, self.batch), self.batch.ends)
        clean = self.caches.clean.kept

        def run(some: Sequence[Job]) -> None:
            names = needed(reading for job in some for reading in asked[job.world])
            first = min(_first_layer(job) for job in some)
            # What is read inside is read at any token, so that the last layer runs all of them.
            x, seen = self._stack(all_asked(region) if names else region, clean, first, some).run(names)
            end = narrow(x, region.asked) if names else x
            self._read_jobs(some, asked, self.network.final(end[:, :, 0]))
            for row, job in enumerate(some):
                here = {name: laid_over(clean[name].whole, name, each.of(row), region) for name, each in seen.items()}
                self._read_inside(job.world, asked[job.world], _whole(clean, asked[job.world]) | here)

        patterns = len(needed(reading for job in jobs for reading in asked[job.world]))
        self._stacked(jobs, region, run, _first_layer, patterns)

    def _run_isolated(self, world: Isolated, jobs: Sequence[Job], asked: Asked) -> None:
        """Jobs that keep something of the same replaced model, on top of the run that keeps nothing."""
        nothing = replace(world, kept=frozenset())
        replaced = edits_of(nothing, self.places, self.caches.values, {})
        spared = {job: _spared(job.edits, replaced) for job in jobs}
        layers = range(self.model.geometry.n_layers)

        def begins(job: Job) -> int:
            """The layer in which it first keeps something: up to there it is the run that keeps nothing."""
            return min(map(layer_of, spared[job]), default=layers[-1])

        def begin(some: Iterable[Job]) -> int:
            return min(map(begins, some))

        tokens = {job: union(masks.values(), self.batch) for job, masks in spared.items()}
        groups = [(only(mask, self.batch.ends), begin(some), some) for mask, some in _by_tokens(tokens)]
        wanted: Wanted = dict.fromkeys(keys_and_values(layers[begin(jobs) :]))
        for region, first, _ in groups:
            wanted = joined(wanted, {residual(first): region.inside})
        self.tick(len(self.batch))
        base = run_whole(self.network, self.batch.tokens, wanted, replaced)[1]
        for region, first, group in groups:

            def run(some: Sequence[Job], region: Region = region, first: int = first) -> None:
                self._read_stack(some, asked, self._stack(region, base, first, some))

            self._stacked(sorted(group, key=_kept_by_layer), region, run, begins)

    def _stack(self, region: Region, base: Mapping[str, Held], first: int, jobs: Sequence[Job]) -> Stack:
        return Stack(self.network, self.batch.tokens, region, base, first, [job.edits for job in jobs])

    def _read_stack(self, jobs: Sequence[Job], asked: Asked, stack: Stack) -> None:
        self._read_jobs(jobs, asked, self.network.final(stack.run()[0][:, :, 0]))

    # --- path patching ---------------------------------------------------------------------------

    def _in_force(self, under: Intervened | None) -> tuple[Edit, ...]:
        """The edits of an intervention that paths are patched under. Raises CannotMeasure."""
        if under is None:
            return ()
        if under not in self.interventions:
            self.interventions[under] = edits_of(under, self.places, self.caches.values, self.caches.clean.kept)
        return self.interventions[under]

    def _under(self, jobs: Iterable[Job]) -> dict[Intervened | None, _Base]:
        """The runs under interventions that jobs patch paths in, each once, with what any of them reads of it."""
        wanted: dict[Intervened, Wanted] = {}
        for job in jobs:
            if isinstance(job.world, Patched) and job.world.under is not None:
                known = wanted.get(job.world.under, {})
                wanted[job.world.under] = joined(known, wants.of_patched(job.world, self.places))
        found: dict[Intervened | None, _Base] = {}
        for under, points in wanted.items():
            edits = self._in_force(under)
            found[under] = _Base(self._passed(Job((under,), edits), points), edits)
        return found

    def _passed(self, job: Job, wanted: Wanted) -> Passed:
        """A world on top of the clean run: what is wanted of it, where it has not reached as in the clean run."""
        region = all_asked(onward(touched(job.edits, self.batch), self.batch.ends))
        clean, first = self.caches.clean.kept, _first_layer(job)
        kept = {name: clean[name] for name in wanted}

        def keep(name: str, values: Tensor, rows: Sequence[int]) -> None:
            kept[name] = clean[name].under(values[:, rows[0]], region, wanted[name])

        watched = dict.fromkeys((name for name in wanted if layer_of(name) >= first), keep)
        x = self._stack(region, clean, first, [job]).watched(watched)
        self._did(region, first)
        end = (region.at == self.batch.ends[:, None]).int().argmax(1, keepdim=True)
        return Passed(wanted, kept, narrow(x, end)[:, 0, 0])

    def _run_patched(self, world: Patched, jobs: Sequence[Job], asked: Asked, base: _Base) -> None:
        """Jobs with the same receivers: to the receivers' tokens with heads frozen, and on from there."""
        inputs = self.places.inputs(world.receivers)
        received = union(inputs.values(), self.batch)
        way, region = only(received, self.batch.ends), onward(received, self.batch.ends)
        starts = [layer_of(name) for name in inputs]
        carried, nothing = self._carried(jobs, inputs, received if inputs else way.inside)

        def run(some: Sequence[Job]) -> None:
            on_the_way = OnTheWay(
                self.network,
                self.batch.tokens,
                way,
                base.passed.kept,
                min([*(_first_layer(job) for job in some), *starts]),
                [job.edits for job in some],
                frozenset(inputs),
                world.strict,
                base.recomputed,
            )
            x = self._received(on_the_way, inputs, region, base) if inputs else on_the_way.final()
            self._read_jobs(some, asked, x[:, :, 0])

        self._stacked(carried, region, run, _first_layer)
        if nothing:
            self._read_jobs([Job(nothing, ())], asked, self.network.final(base.passed.end[:, None]))

    def _carried(
        self, jobs: Sequence[Job], inputs: Mapping[str, Tensor], received: Tensor
    ) -> tuple[list[Job], tuple[World, ...]]:
        """Jobs with the edits that can be seen where they are received; and the worlds in which nothing can."""
        last = max(map(parts_at, inputs), default=2 * len(self.network.blocks))
        found: dict[Hashable, Job] = {}
        nothing: list[World] = []
        for job in jobs:
            edits = [edit for edit in job.edits if parts_at(edit.name) <= last]
            seen = tuple(edit for edit in edits if bool((union([edit.mask], self.batch) & received).any()))
            if not seen:
                nothing += job.worlds
                continue
            key = tuple((edit.name, edit.key) for edit in seen)
            known = found[key].worlds if key in found else ()
            found[key] = Job((*known, *job.worlds), seen)
        return list(found.values()), tuple(nothing)

    def _received(self, way: OnTheWay, inputs: Mapping[str, Tensor], region: Region, base: _Base) -> Tensor:
        """The final norm's output at END once the receivers alone are given what arrives at them."""
        # Where each of the region's tokens stands among those on the way (any will do where it does not).
        index = (region.at[:, :, None] == way.region.at[:, None, :]).int().argmax(-1)
        arrivals = {
            name: Arrivals(take(inputs[name], region.at)[:, None], narrow(values, index))
            for name, values in way.inputs().items()
        }
        first = min(map(layer_of, inputs))
        worlds = [base.edits for _ in way.worlds]
        stack = Stack(self.network, self.batch.tokens, region, base.passed.kept, first, worlds, arrivals)
        return self.network.final(stack.run()[0])

    # --- stacking --------------------------------------------------------------------------------

    def _stacked(
        self,
        jobs: Sequence[Job],
        region: Region,
        run: Callable[[Sequence[Job]], None],
        first: Callable[[Job], int],
        patterns: int = 0,
    ) -> None:
        """Run jobs, as many side by side as memory allows when the patterns of some layers are kept.

        ``first`` is the layer in which a job begins to differ from what it runs on top of.
        """
        length, tokens = self.batch.tokens.shape[1], region.at.shape[1]
        keys = tokens + (length if region.looks_back else 0)
        size = self.memory // bytes_a_world(self.network, len(self.batch), tokens, keys, patterns)

        def whole_or_nothing(some: Sequence[Job]) -> None:
            with self.answers.all_or_none():
                run(some)

        if in_chunks(jobs, size, whole_or_nothing):
            self.memory //= 2
        for job in jobs:
            self._did(region, first(job))

    def _did(self, region: Region, first: int) -> None:
        """Tell of a world run over a region, on from a layer."""
        share, layers = region.at.shape[1] / self.batch.tokens.shape[1], len(self.network.blocks)
        self.tick(len(self.batch) * share * (layers - first) / layers)

    # --- reading ---------------------------------------------------------------------------------

    def _read_jobs(self, jobs: Sequence[Job], asked: Asked, x: Tensor) -> None:
        """Read the logits of jobs whose final norm gives ``x`` [prompts, jobs, d_model] at END."""
        worlds = [world for job in jobs for world in job.worlds]
        self._read(worlds, asked, x[:, [row for row, job in enumerate(jobs) for _ in job.worlds]])

    def _read(self, worlds: Sequence[World], asked: Asked, x: Tensor) -> None:
        """Read the logits of worlds whose final norm gives ``x`` [prompts, worlds, d_model] at END."""
        for reading in dict.fromkeys(reading for world in worlds for reading in asked[world]):
            if reads_inside(reading):
                continue
            rows = [row for row, world in enumerate(worlds) if reading in asked[world]]
            try:
                values = self.reader.figures(reading, x[:, rows])
            except CannotMeasure as reason:
                for row in rows:
                    self.answers.unread(worlds[row], reading, reason)
                continue
            for column, row in enumerate(rows):
                self.answers.add(worlds[row], reading, np.ascontiguousarray(values[:, column]))

    def _read_inside(self, world: World, readings: Iterable[Reading], kept: Mapping[str, Tensor]) -> None:
        """Readings of attention and of heads' OV circuits, as the plain engine takes them."""
        for reading in filter(reads_inside, readings):
            try:
                values = read(reading, torch.empty(0), kept, self.batch, self.model.bridge)
            except CannotMeasure as reason:
                self.answers.unread(world, reading, reason)
            else:
                self.answers.add(world, reading, values)


def _by_tokens(tokens: Mapping[Job, Tensor]) -> list[tuple[Tensor, list[Job]]]:
    """Jobs in groups that run over the same tokens, ``tokens`` [prompts, tokens] being those that each needs.

    One that needs almost the tokens of a group joins it: worlds that run together share what they have in common.
    """
    groups: list[tuple[Tensor, list[Job]]] = []
    for job, mask in sorted(tokens.items(), key=lambda item: -int(item[1].sum())):
        for shared, group in groups:
            if int(shared.sum()) <= ALMOST * int(mask.sum()) and bool((shared | ~mask).all()):
                group.append(job)
                break
        else:
            groups.append((mask, [job]))
    return groups


def _whole(kept: Mapping[str, Held], readings: Iterable[Reading]) -> dict[str, Tensor]:
    """The activations that readings need, at all tokens."""
    return {name: kept[name].whole for name in needed(readings)}


def _first_layer(job: Job) -> int:
    return max(first_point(job.edits), 0) // 2


def _kept_by_layer(job: Job) -> list[list[str]]:
    """Orders isolated worlds so that those which keep the same in early layers, where they share rows, are together."""
    assert isinstance(job.world, Isolated)
    layers: dict[int, list[str]] = {}
    for node in job.world.kept:
        layers.setdefault(layer_of(hooks.output(node.component)), []).append(str(node))
    return [sorted(layers.get(layer, ())) for layer in range(max(layers, default=-1) + 1)]


def _spared(edits: Sequence[Edit], everything: Sequence[Edit]) -> dict[str, Tensor]:
    """Where a world keeps what replacing everything replaces, by the points that have such a place."""
    whole_masks = {edit.name: edit.mask for edit in everything}
    spared = {edit.name: whole_masks[edit.name] & ~edit.mask for edit in edits}
    return {name: mask for name, mask in spared.items() if bool(mask.any())}
