"""How much memory the fast engine takes at most, by the shape of a model and by what is asked of it. No torch.

Every term is the size of what the engine holds at once, in float32: of a shared run all that it can be required to have
(``required``), of a stack what ``memory.bytes_a_world`` says. What is added up is at its largest at different times, so
that a check takes less than this.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from circuitdsl.allocator import KEPT
from circuitdsl.components import Geometry, Neuron
from circuitdsl.engine.base import Asked, Memory
from circuitdsl.engine.fast.cost import shared_runs
from circuitdsl.engine.fast.coverage import covers_world, reads_inside
from circuitdsl.engine.fast.vectors import VECTOR
from circuitdsl.engine.hook_names import dictionaries
from circuitdsl.engine.named import actions_of, components
from circuitdsl.engine.references import is_by_template, prompts_wanted
from circuitdsl.engine.slices import TOKENS_A_PASS
from circuitdsl.measures.experiments import (
    Corrupted,
    Experiment,
    FromCounterfactual,
    Intervened,
    Mean,
    Patched,
    Resample,
)

CPU_MOST = 64 << 20  # bytes of a stack; on a CPU larger ones gain nothing, and more of them keep all cores at work
RUN_CACHE_MOST = 512 << 20  # bytes of runs that are kept for the next call, by default

FEATURES = 4
"""Copies of all features of a dictionary that a world has at a time: before they are made active and after, and before
and after an edit of all of them."""

PROCESS = 640 << 20
"""Bytes of Python, torch, transformers and TransformerLens; 510 MB were measured."""

_FLOAT, _DOUBLE = 4, 8  # bytes
_LONGER = 1.5  # a layout counts a word as a token, and tokenizers split some


def peak(asked: Sequence[Asked], memory: int, threads: int) -> Memory:
    """The most memory that is taken while all of this is run. ``memory``: bytes a stack may take, 0 for the default;
    so many ``threads`` run stacks at once."""
    ours = [_Ours(each) for each in asked]
    models = {each.asked.model: each.asked.geometry for each in ours}
    stacks = (max(memory or CPU_MOST, each.world) + each.read for each in ours)
    kept = memory or RUN_CACHE_MOST
    return Memory(
        process=PROCESS + 2 * KEPT,
        weights=sum(2 * _FLOAT * _parameters(geometry) for geometry in models.values()) + _of_dictionaries(ours),
        runs=max((each.runs for each in ours), default=0),
        means=sum(each.means for each in ours) + max((each.summing for each in ours), default=0),
        stacks=threads * max(stacks, default=0),
        kept=sum(min(kept, sum(each.all_runs for each in ours if each.asked.model == model)) for model in models),
    )


def _parameters(geometry: Geometry) -> int:
    """Numbers in the weights: with a gate in every MLP, positions that are learnt, and an unembedding of its own."""
    g = geometry
    heads = 2 * g.d_model * g.d_head * (g.n_heads + g.n_kv_heads)
    layer = heads + 3 * g.d_model * g.d_mlp + 6 * g.d_model + g.d_mlp
    return g.n_layers * layer + (2 * g.d_vocab + min(g.n_ctx, 2 * TOKENS_A_PASS)) * g.d_model + g.d_vocab


def _of_dictionaries(ours: Iterable[_Ours]) -> int:
    """Bytes of dictionaries: of each its weights, and once more the largest as its file has them, and as it is read."""
    sizes = {each: 2 * each.n_features * of.asked.geometry.d_model for of in ours for each in of.dictionaries}
    return _FLOAT * (sum(sizes.values()) + 2 * max(sizes.values(), default=0))


class _Ours:
    """The sizes, in bytes, of what the engine is given at once over the same data."""

    def __init__(self, asked: Asked):
        self.asked = asked
        self.worlds = {each.world for each in asked.experiments if covers_world(each.world)}
        self.dictionaries = dictionaries(self.worlds)
        lengths = [layout.length for layout in asked.layouts] or [1]
        self.length, self.shortest = int(_LONGER * max(lengths)), min(lengths)
        self.all_tokens = asked.prompts * self.length
        self.tokens = min(self.all_tokens, max(TOKENS_A_PASS, self.length))  # of one batch

    @property
    def runs(self) -> int:
        """The runs that the worlds of a batch share, and one that is being made."""
        return sum(self._run(run, self.tokens) for run in self._shared) + self.world

    @property
    def all_runs(self) -> int:
        """The shared runs of all batches that are kept: of the prompts and of their counterfactuals."""
        kept = (run for run in self._shared if run == "clean" or isinstance(run, FromCounterfactual))
        return sum(self._run(run, self.all_tokens) for run in kept)

    @property
    def world(self) -> int:
        """One world, over all tokens."""
        return _FLOAT * self.tokens * self._floats_a_token

    @property
    def read(self) -> int:
        """Patterns of one world that are read, laid over the clean run's."""
        return self._patterns(self.tokens)

    @property
    def means(self) -> int:
        """The means of every group."""
        return sum(map(self._mean, self._means))

    @property
    def summing(self) -> int:
        """The largest means once more, to be written down, and what is summed in one pass, in double precision."""
        at_once = (2 * _DOUBLE * self._groups_a_pass(each) * self._of_group(each) for each in self._means)
        return max((2 * self._mean(each) for each in self._means), default=0) + max(at_once, default=0)

    def _mean(self, source: Mean) -> int:
        groups = prompts_wanted(source, self.asked.templates) // source.reference
        return _FLOAT * groups * self._of_group(source)

    def _of_group(self, source: Mean) -> int:
        """Numbers in the mean of a group."""
        return self._outputs * (self.length if is_by_template(source) else 1)

    def _groups_a_pass(self, source: Mean) -> int:
        """Of how many groups a pass has prompts, at most."""
        return TOKENS_A_PASS // (self.shortest * source.reference) + 2

    @property
    def _means(self) -> Iterable[Mean]:
        return [run for run in self._shared if isinstance(run, Mean)]

    @property
    def _shared(self) -> frozenset[Hashable]:
        """The whole runs that worlds share, those under an intervention among them."""
        return shared_runs(self.worlds) | {
            world.under for world in self.worlds if isinstance(world, Patched) and world.under is not None
        }

    @property
    def _outputs(self) -> int:
        """Numbers that all heads, MLPs and embeddings put out at a token; neurons, where any are named, and features
        and errors."""
        g = self.asked.geometry
        neurons = g.d_mlp if any(isinstance(each, Neuron) for world in self.worlds for each in components(world)) else 0
        parts = sum(each.n_features + g.d_model for each in self.dictionaries)
        return g.n_layers * (g.n_heads * g.d_head + g.d_model + neurons) + 2 * g.d_model + parts

    def _run(self, run: Hashable, tokens: int) -> int:
        """What is had of a shared run over so many tokens: of a source what components put out, of a run that others
        are stacked on the residual stream, keys and values too, and of the clean one the patterns."""
        g = self.asked.geometry
        below = g.n_layers * (g.d_model + 2 * g.n_kv_heads * g.d_head) + 2 * g.d_model
        match run:
            case Mean() if not is_by_template(run):
                return _FLOAT * self.asked.prompts * self._outputs
            case Mean() | Resample() | FromCounterfactual():
                return _FLOAT * tokens * self._outputs + (self._patterns(tokens) if run in self._read_inside else 0)
            case "clean":
                return _FLOAT * tokens * (self._outputs + below) + self._patterns(tokens)
            case Intervened() if run not in self._received:
                return _FLOAT * (tokens // self.shortest + 1) * (self._outputs + below)
            case _:
                return _FLOAT * tokens * (self._outputs + below)

    @property
    def _received(self) -> frozenset[Intervened | None]:
        """The interventions in whose runs paths are patched that end before the logits: else END is all that is had."""
        paths = (world for world in self.worlds if isinstance(world, Patched))
        return frozenset(world.under for world in paths if world.receivers)

    @property
    def _read_inside(self) -> frozenset[FromCounterfactual]:
        """The counterfactuals whose own runs are read elsewhere than at the logits."""
        corrupted = ((e.world, e.reading) for e in self.asked.experiments)
        return frozenset(
            FromCounterfactual(world.counterfactual)
            for world, reading in corrupted
            if isinstance(world, Corrupted) and reads_inside(reading)
        )

    def _patterns(self, tokens: int) -> int:
        """The patterns of all layers, if any are read or set."""
        g = self.asked.geometry
        used = any(_of_patterns(each) for each in self.asked.experiments)
        return _FLOAT * tokens * g.n_layers * g.n_heads * self.length if used else 0

    @property
    def _floats_a_token(self) -> int:
        """As ``memory.bytes_a_world`` counts them."""
        g = self.asked.geometry
        features = FEATURES * max((each.n_features for each in self.dictionaries), default=0)
        keys = self.length + self.length + VECTOR - 1
        return 4 * g.d_model + 2 * max(g.d_mlp, 4 * g.n_heads * g.d_head) + 3 * g.n_heads * keys + features


def _of_patterns(experiment: Experiment) -> bool:
    setting = any(action.of_pattern for action in actions_of(experiment.world))
    return setting or reads_inside(experiment.reading)
