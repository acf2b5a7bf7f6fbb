"""The plain engine: one hooked full forward pass for every experiment. Slow, obviously correct, the oracle.

Whatever it does is done through TransformerLens's hook points on the model that it is given; no hook outlives a pass
(``run_with_hooks`` takes its own hooks away even when a pass raises).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NoReturn, assert_never

import numpy as np
import torch
from torch import Tensor

from circuitdsl.components import Geometry, Node, Position
from circuitdsl.engine import hook_names
from circuitdsl.engine.base import SKETCH, Keep, keep_nothing
from circuitdsl.engine.batch import (
    Batch,
    batch_of,
    counterfactual_tokens,
    mask_of,
    tokens_at,
)
from circuitdsl.engine.guard import is_guarded, unchanged
from circuitdsl.engine.hook_names import Activations
from circuitdsl.engine.plain import writes
from circuitdsl.engine.plain.arrivals import Arrivals, frozen_in, travels
from circuitdsl.engine.plain.dictionaries import Dictionaries
from circuitdsl.engine.plain.edges import EdgesRun
from circuitdsl.engine.plain.sketches import Slopes, slopes_of
from circuitdsl.engine.plain.writes import EVERYWHERE, Hook, Receiver, Write, made_a_difference, put, would_change
from circuitdsl.engine.readings import needed, read
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.engine.slices import TOKENS_A_PASS, in_batches
from circuitdsl.engine.sources import Result, Sources
from circuitdsl.engine.steps import Apart, Steps, by_world
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Data,
    EdgesKept,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Patched,
    Reading,
    Sketched,
    Source,
    World,
)
from circuitdsl.measures.measurement import Array, CannotMeasure, Failure
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt


@dataclass
class PlainEngine:
    """Runs experiments on one model.

    ``tick`` is told of every forward pass with its number of prompts.
    """

    model: Model
    tick: Callable[[int], None] = lambda prompts: None
    tokens: int = TOKENS_A_PASS
    note: str = ""  # why this engine and not the fast one
    dictionaries: Dictionaries = field(init=False, repr=False)

    name = "plain"
    memory = 0  # it runs one world at a time

    def __post_init__(self) -> None:
        self.dictionaries = Dictionaries(self._device)

    @property
    def settings(self) -> tuple[str, ...]:
        """What its readings depend on besides the model and the experiment."""
        return (self.name, str(next(self.model.bridge.parameters()).dtype), self._device.type)

    @property
    def dtype(self) -> str:
        """The precision in which it runs: the model's."""
        return self.model.dtype

    @property
    def device(self) -> str:
        """Where it runs: the model's device."""
        return str(self._device)

    def run(
        self,
        data: Data,
        stream: Sequence[Prompt],
        start: int,
        stop: int,
        experiments: Iterable[Experiment],
        references: References = NO_REFERENCES,
        keep: Keep = keep_nothing,
    ) -> dict[Experiment, Array | Failure]:
        """The readings of prompts ``start`` to ``stop`` of a stream, one array [stop - start] an experiment.

        An experiment that cannot be run gives a Failure. ``keep`` is told of each world once its last batch has run.
        Raises ModelError for a dictionary that cannot be opened any more.
        """
        asked = {world: _Asked(tuple(some)) for world, some in by_world(experiments).items()}
        self.dictionaries.open(hook_names.dictionaries(asked))
        further = hook_names.further(asked, self.model.geometry) & self._hook_points
        outputs = partial(self._outputs, further)
        sources = Sources(outputs, self.tokens, self.name, references, further)
        groups = in_batches(stream[start:stop], self.tokens)
        for number, group in enumerate(groups, start=1):
            caches = _Caches(batch_of(group, self._device), sources)
            for world, each in asked.items():
                self._world(world, each, caches)
                if number == len(groups):
                    keep({e: found for e, found in each.results(world) if not isinstance(found, Failure)})
        return {experiment: result for world, each in asked.items() for experiment, result in each.results(world)}

    def in_steps(
        self,
        data: Data,
        prompts: Sequence[Prompt],
        experiments: Sequence[Experiment],
        references: References,
        memory: int,
    ) -> Steps:
        """As Divisible: a step a world, for each is run by itself."""
        return Apart(
            lambda some: self.run(data, prompts, 0, len(prompts), some, references), [*by_world(experiments).values()]
        )

    def in_dtype(self, dtype: str) -> None:
        """None: it runs the model itself, whose weights stay as they are."""

    # --- one world -------------------------------------------------------------------------------

    def _world(self, world: World, asked: _Asked, caches: _Caches) -> None:
        """Run a world on a batch and file what was asked of it, unless it has failed before."""
        if asked.failure:
            return
        if isinstance(world, Sketched):
            self._sketch(world, asked, caches)
            return
        try:
            ran = self._run_world(world, caches, asked.names)
        except CannotMeasure as reason:
            asked.failure = str(reason)
            return
        asked.changed |= ran.changed or not is_guarded(world)
        clean = partial(self._clean_logits, caches)
        for experiment in asked.experiments:
            try:
                reading = read(experiment.reading, ran.logits, ran.activations, caches.batch, self.model.bridge, clean)
                asked.pieces[experiment].append(reading)
            except CannotMeasure as reason:
                asked.failures[experiment] = str(reason)

    def _sketch(self, world: Sketched, asked: _Asked, caches: _Caches) -> None:
        """File what was asked of a world to first order."""
        asked.changed = True  # an estimate is not guarded
        try:
            where = writes.masks(world.nodes, caches.batch, self.model.geometry)
            for experiment in asked.experiments:
                slopes = self._slopes(experiment.reading, caches)
                asked.pieces[experiment].append(slopes.to_first_order(where, caches.values(world.source)))
        except CannotMeasure as reason:
            asked.failure = str(reason)

    def _slopes(self, reading: Reading, caches: _Caches) -> Slopes:
        if reading not in caches.slopes:
            caches.slopes[reading] = slopes_of(self.model, caches.batch, reading, self.model.geometry)
            self.tick(len(SKETCH) * len(caches.batch))
        return caches.slopes[reading]

    def _run_world(self, world: World, caches: _Caches, names: frozenset[str]) -> _Ran:
        batch = caches.batch
        match world:
            case Clean():
                return self._forward(batch, batch.tokens, (), names)
            case Corrupted(counterfactual=name):
                return self._forward(batch, counterfactual_tokens(batch, name), (), names)
            case Ablated(nodes=nodes, source=source):
                where = writes.masks(nodes, batch, self.model.geometry)
                return self._replace(batch, where, caches.values(source), names)
            case Isolated(source=source):
                return self._replace(batch, self._outside(world, batch), caches.values(source), names)
            case Patched():
                return self._path_patch(world, caches, names)
            case Intervened():
                return self._intervene(world, caches, names)
            case EdgesKept():
                return self._keep_edges(world, caches.batch, names)
            case Sketched():
                raise LookupError("what is estimated to first order is no run")
            case _:
                assert_never(world)

    def _replace(self, batch: Batch, where: Mapping[str, Tensor], values: Activations, names: frozenset[str]) -> _Ran:
        """A run with the outputs marked in ``where`` replaced, and everything after them recomputed."""
        replacing = writes.replacing(where, values)
        ran = self._forward(batch, batch.tokens, replacing, names)
        return replace(ran, changed=made_a_difference(replacing))

    def _outside(self, world: Isolated, batch: Batch) -> dict[str, Tensor]:
        """Where the outputs of everything outside the kept nodes stand: of an MLP of which single neurons are kept,
        those of its neurons, and of a dictionary's point of which features are kept, those of its features."""
        geometry = self.model.geometry
        kept = writes.masks(world.kept, batch, geometry)
        by_head = frozenset(hook_names.all_heads(geometry))
        inside = hook_names.neurons_of(node.component for node in world.kept)
        names = frozenset(hook_names.replaced_outside(world.mlps, geometry))
        if world.features:
            names = (names - world.features.whole).union(each.features for each in world.features.dictionaries)
            names = names.union(each.error for each in world.features.dictionaries if world.features.errors)
        everything = {
            inside.get(name, name): batch.real[..., None, None] if name in by_head else batch.real[..., None]
            for name in names
        }
        return {name: mask & ~kept[name] if name in kept else mask for name, mask in everything.items()}

    # --- path patching ---------------------------------------------------------------------------

    def _path_patch(self, world: Patched, caches: _Caches, names: frozenset[str]) -> _Ran:
        """First the senders' change is carried to the receivers' inputs; then these alone enter a run without it.

        That run is the clean one, or the one under an intervention, whose writes come first in every pass.
        """
        batch, geometry = caches.batch, self.model.geometry
        senders = writes.masks(world.senders, batch, geometry)
        frozen = self._frozen(world)
        clean = self._clean(caches, (*frozen, *(name for name in senders if world.under and name not in frozen)))
        corrupted = caches.values(FromCounterfactual(world.counterfactual))
        receivers = frozenset(node.component.receives(which) for node, which in world.receivers)
        under = () if world.under is None else self._acting(world.under, caches)
        base = clean if world.under is None else self._under(world.under, caches, frozen)
        # Senders are written after the freeze, so that the guard compares them with the run that is patched.
        freeze = {name: put(name, EVERYWHERE, base[name]) for name in frozen}
        groups = travels(world, frozen)
        sent = {each: writes.replacing(writes.masks(each, batch, geometry), corrupted) for _, each in groups}
        travelled = [
            self._forward(
                batch, batch.tokens, [*under, *(freeze[name] for name in held), *sent[senders]], names | receivers
            )
            for held, senders in groups
        ]
        # Under an intervention they are compared with the clean run all the same: that they already give what they
        # give on the counterfactual may be what it does. So may a path carry nothing: only the senders are guarded.
        if world.under is None:
            changed = made_a_difference([write for each in sent.values() for write in each])
        else:
            changed = would_change(writes.replacing(senders, corrupted), clean)
        if not receivers:
            return replace(travelled[0], changed=changed)
        received = {
            node.component.receives(which): ran.activations[node.component.receives(which)]
            for ran, some in zip(travelled, groups.values(), strict=True)
            for node, which in some
        }
        arrivals = self._arrivals(world.receivers, received, batch, under)
        return replace(self._forward(batch, batch.tokens, [*under, *arrivals], names), changed=changed)

    def _arrivals(
        self, receivers: Iterable[Receiver], sent: Activations, batch: Batch, under: Sequence[Write]
    ) -> list[Write]:
        """Writes that give the receivers, and nothing else, what is ``sent`` to them. ``under`` is always in force.

        With grouped queries several heads read one key or value, and no hook point has the copy that each of them
        reads. So a run is made for each such head in which the key of its whole group is written: there the head's
        pattern and output are those that its own copy gives it, and of that run these alone are taken. They depend on
        what arrives in layers before, which is why heads are taken in order.
        """
        geometry = self.model.geometry
        copied = writes.by_copied_head(receivers, geometry)

        def given(some: Iterable[Receiver]) -> list[Write]:
            return writes.replacing(writes.receiver_masks(some, batch, geometry), sent)

        arrivals = given(frozenset(receivers).difference(*copied.values()))
        for head, inputs in copied.items():
            own = writes.whole_head(head, geometry, batch.tokens.device)
            ran = self._forward(batch, batch.tokens, [*under, *arrivals, *given(inputs)], frozenset(own))
            arrivals += writes.replacing(own, ran.activations)
        return arrivals

    def _frozen(self, world: Patched) -> tuple[str, ...]:
        """What is frozen in the first of the two runs, the scales of norms that the model has among it."""
        frozen = frozen_in(world, self.model.geometry)
        if not world.strict:
            return frozen
        scales = (name for name in hook_names.norm_scales(self.model.geometry) if name in self._hook_points)
        return (*frozen, *scales)

    # --- edges alone -----------------------------------------------------------------------------

    def _keep_edges(self, world: EdgesKept, batch: Batch, names: frozenset[str]) -> _Ran:
        """A few prompts at a time, for several copies of them stand side by side."""
        if names:
            raise CannotMeasure("of a run of edges alone only the logits are read")
        arrivals = Arrivals.of(world.edges, self.model.geometry.parallel_attn_mlp)
        groups = in_batches(batch.prompts, max(1, self.tokens // arrivals.copies))
        ran = [self._edges_run(arrivals, batch_of(group, self._device), world.counterfactual) for group in groups]
        changed = bool((counterfactual_tokens(batch, world.counterfactual) != batch.tokens).any())
        return _Ran(torch.cat(ran), {}, changed)

    def _edges_run(self, arrivals: Arrivals, batch: Batch, counterfactual: str) -> Tensor:
        """Logits at END: [prompts, vocabulary]."""
        bridge = self.model.bridge
        weights = self.dictionaries.weights
        run = EdgesRun(batch, self.model.geometry, bridge.W_O.detach(), arrivals, weights)
        hooks = run.hooks()
        writes.check_there((name for name, _ in hooks), bridge.hook_dict)
        return run.logits(self._pass(run.tokens(counterfactual_tokens(batch, counterfactual)), hooks))

    # --- interventions ---------------------------------------------------------------------------

    def _intervene(self, world: Intervened, caches: _Caches, names: frozenset[str]) -> _Ran:
        acting = self._acting(world, caches)
        ran = self._forward(caches.batch, caches.batch.tokens, acting, names)
        return replace(ran, changed=made_a_difference(acting))

    def _acting(self, world: Intervened, caches: _Caches) -> list[Write]:
        """What an intervention's actions write, in their order. Raises CannotMeasure."""
        pairs = zip(world.actions, world.sources, strict=True)
        return [Write(*write) for action, source in pairs for write in action.writes(_Acting(self, caches, source))]

    def taken(self, source: Source | None, names: tuple[str, ...], caches: _Caches) -> Activations:
        """What an action takes at some hook points: of its source, or of the clean run where it has none."""
        values = self._clean(caches, names) if source is None else caches.values(source)
        return writes.present(values, names)

    # --- forward passes --------------------------------------------------------------------------

    def _forward(self, batch: Batch, tokens: Tensor, made: Sequence[Write], names: frozenset[str]) -> _Ran:
        """One pass in which some writes are made, and the named activations as they leave the writes."""
        writes.check_there({*names, *(write.name for write in made)}, self._hook_points)
        passed: dict[str, Tensor] = {}
        logits = self._pass(tokens, self._hooks(made, names, passed))
        writes.check_fired(made)
        return _Ran(logits[torch.arange(len(batch)), batch.ends], passed)

    def _hooks(self, made: Sequence[Write], names: Iterable[str], passed: dict[str, Tensor]) -> list[tuple[str, Hook]]:
        """Hooks that make some writes and put what then passes the named points into ``passed``. Those at the points of
        dictionaries stand between: what is written there enters what passes the model's own. An MLP's output is taken
        before: where it is frozen in another run, writes to its features are made in that run too."""
        added, mlps = self.dictionaries.names, hook_names.all_mlp_outputs(self.model.geometry)
        own: list[tuple[str, Hook]] = [(write.name, write) for write in made if write.name not in added]
        parts, names = [write for write in made if write.name in added], frozenset(names)
        outputs = names.intersection(mlps)
        between = self.dictionaries.hooks(parts, names.intersection(added), passed)
        return [
            *own,
            *writes.capture(outputs, passed),
            *between,
            *writes.capture(names.difference(added, outputs), passed),
        ]

    def _clean(self, caches: _Caches, names: tuple[str, ...]) -> Activations:
        """What the named hook points carry in the clean run."""
        if names not in caches.clean:
            ran = self._forward(caches.batch, caches.batch.tokens, (), frozenset(names))
            caches.clean[names] = ran.activations
        return caches.clean[names]

    def _clean_logits(self, caches: _Caches) -> Tensor:
        """The logits at END of the clean run, [prompts, vocabulary]."""
        if caches.logits is None:
            caches.logits = self._forward(caches.batch, caches.batch.tokens, (), frozenset()).logits
        return caches.logits

    def _under(self, world: Intervened, caches: _Caches, names: tuple[str, ...]) -> Activations:
        """What the named hook points carry under an intervention."""
        if (world, names) not in caches.under:
            ran = self._forward(caches.batch, caches.batch.tokens, self._acting(world, caches), frozenset(names))
            caches.under[world, names] = ran.activations
        return caches.under[world, names]

    def _outputs(self, further: frozenset[str], tokens: Tensor, take: Callable[[Tensor], Result]) -> dict[str, Result]:
        """The outputs of the embeddings, all heads and all MLPs on some tokens, and what passes further hook points: of
        each what ``take`` makes of it."""
        passed: dict[str, Tensor] = {}
        embeddings = (name for name in hook_names.EMBEDDINGS if name in self._hook_points)
        names = (*embeddings, *hook_names.heads_and_mlps(self.model.geometry), *sorted(further))
        self._pass(tokens.to(self._device), self._hooks((), names, passed))
        return {name: take(outputs) for name, outputs in passed.items()}

    def _pass(self, tokens: Tensor, hooked: list[tuple[str, Hook]]) -> Tensor:
        with torch.inference_mode():
            logits = self.model.bridge.run_with_hooks(tokens, fwd_hooks=list(hooked), return_type="logits")
        self.tick(len(tokens))
        return logits

    @property
    def _hook_points(self) -> frozenset[str]:
        """The names of the model's hook points, and of those that dictionaries add where the model has theirs."""
        own, added = self._own_hook_points, self.dictionaries.names
        return own.union(name for name, each in added.items() if {each.reads, each.stands_at} <= own)

    @cached_property
    def _own_hook_points(self) -> frozenset[str]:
        """The names of the model's hook points, which TransformerLens gathers anew each time it is asked."""
        return frozenset(self.model.bridge.hook_dict)

    @property
    def _device(self) -> torch.device:
        return next(self.model.bridge.parameters()).device


@dataclass(frozen=True)
class _Ran:
    """What a run leaves: logits at END [prompts, vocabulary], activations, and whether its patch changed anything."""

    logits: Tensor
    activations: Activations
    changed: bool = True


@dataclass
class _Caches:
    """What the experiments on one batch share, made at first use and dropped with the batch."""

    batch: Batch
    sources: Sources
    clean: dict[tuple[str, ...], Activations] = field(default_factory=dict)
    under: dict[tuple[Intervened, tuple[str, ...]], Activations] = field(default_factory=dict)
    logits: Tensor | None = None  # of the clean run, at END
    replaced: dict[Source, Activations] = field(default_factory=dict)
    slopes: dict[Reading, Slopes] = field(default_factory=dict)

    def values(self, source: Source) -> Activations:
        """Where replaced activations come from; see ``Sources.values``."""
        if source not in self.replaced:
            self.replaced[source] = self.sources.values(source, self.batch)
        return self.replaced[source]


@dataclass(frozen=True)
class _Acting:
    """What an action is given of a batch (``actions.base.Run``)."""

    engine: PlainEngine
    caches: _Caches
    source: Source | None

    @property
    def geometry(self) -> Geometry:
        return self.engine.model.geometry

    def outputs(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        return writes.masks(nodes, self.caches.batch, self.geometry)

    def patterns(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        return writes.pattern_masks(nodes, self.caches.batch, self.geometry)

    def mask(self, position: Position) -> Tensor:
        return mask_of(self.caches.batch, position)

    def taken(self, names: Iterable[str]) -> Activations:
        return self.engine.taken(self.source, tuple(names), self.caches)

    def require_causal(self, query: Position, key: Position) -> None:
        for prompt in self.caches.batch.prompts:
            if min(tokens_at(prompt, query)) < max(tokens_at(prompt, key)):
                self.refuse(f"{query} cannot attend to {key}, which comes later in {prompt.text!r}")

    def refuse(self, reason: str) -> NoReturn:
        raise CannotMeasure(reason)


@dataclass
class _Asked:
    """The experiments of one world, and what the batches so far gave. ``failure`` is of the world as a whole."""

    experiments: tuple[Experiment, ...]
    pieces: dict[Experiment, list[Array]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[Experiment, str] = field(default_factory=dict)
    failure: str = ""
    changed: bool = False

    @property
    def names(self) -> frozenset[str]:
        return needed(experiment.reading for experiment in self.experiments)

    def results(self, world: World) -> Iterator[tuple[Experiment, Array | Failure]]:
        whole = Failure(self.failure) if self.failure else None if self.changed else unchanged(world)
        for experiment in self.experiments:
            if whole is not None:
                yield experiment, whole
            elif experiment in self.failures:
                yield experiment, Failure(self.failures[experiment])
            else:
                yield experiment, np.concatenate(self.pieces[experiment])
