"""How a check spreads over the nodes of a cluster: real runs, a simulation, and a model of what large runs cost.

    python -m benchmarks.scale --out scale.json              # 1, 2 and 4 nodes of one core, all on this machine
    python -m benchmarks.scale --spec mini/repair --nodes 1,2

1. The check is run here in its steps (``engine.steps``), one by one, each timed in CPU seconds: the trace.
2. The simulation hands the steps of the trace out as an engine on a cluster does, by the same ``Course``, to any number
   of nodes on any number of cores.
3. The same check runs on Ray clusters of some nodes of one core each; a report that is not that of this machine to the
   bit ends it. Beside the seconds stand the CPU seconds of the busiest worker, which other processes do not change.
4. ``docs/scale.md`` has the cost model for large runs, whose constants are these.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import pickle
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch

import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Geometry
from circuitdsl.engine.base import Keep, engines, keep_nothing
from circuitdsl.engine.cluster.course import AHEAD, Course
from circuitdsl.engine.cluster.distributed import Distributed
from circuitdsl.engine.cluster.executor import Executor
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.engine.steps import Part, steps_of
from circuitdsl.library import find_spec
from circuitdsl.measures.experiments import Data, Experiment
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.outcome import Report
from circuitdsl.plan.plan import Plan, make_plan
from circuitdsl.tasks import Prompt

# --- the trace ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Called:
    """One call of an engine, in CPU seconds: what was done before it, its planning with the runs that steps share, and
    its steps; and the bytes that are sent to a worker and come back."""

    experiments: int
    before: float
    planning: float
    steps: Sequence[float]
    sent: int
    returned: int


@dataclass
class Traced(FastEngine):
    """An engine that takes every call in steps, and times them."""

    calls: list[Called] = field(default_factory=list)
    left: float = field(default_factory=time.process_time)

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
        """As an engine runs a call, in steps."""
        before = time.process_time() - self.left
        asked, prompts = tuple(experiments), tuple(stream[start:stop])
        sent = len(pickle.dumps((data, prompts, asked, references.of)))
        began = time.process_time()
        steps = steps_of(self, data, prompts, asked, references, self.memory)
        total = steps.total
        planning = time.process_time() - began
        found: dict[Experiment, Array | Failure] = {}
        seconds: list[float] = []
        for step in range(total):
            began = time.process_time()
            found |= steps.run(Part(step, step + 1))
            seconds.append(time.process_time() - began)
        self.calls.append(Called(len(asked), before, planning, seconds, sent, len(pickle.dumps([*found.values()]))))
        self.left = time.process_time()
        return {experiment: found[experiment] for experiment in asked}


@dataclass(frozen=True)
class Trace:
    """All calls of a check, and the CPU seconds after the last."""

    calls: Sequence[Called]
    after: float

    @property
    def driver(self) -> float:
        """Seconds that no worker takes over."""
        return sum(call.before for call in self.calls) + self.after

    @property
    def planning(self) -> float:
        return sum(call.planning for call in self.calls)

    @property
    def steps(self) -> float:
        return sum(sum(call.steps) for call in self.calls)


def traced(plan: Plan) -> tuple[Trace, Report]:
    """The trace of a check on this machine, on one thread, and its report."""
    bench = Workbench(store=None)
    (circuit,) = plan.measured
    session = bench.bench(circuit).session
    assert isinstance(session.engine, FastEngine)
    session.engine = engine = Traced(session.engine.model)
    report = bench.check(plan)
    return Trace(engine.calls, time.process_time() - engine.left), report


# --- the simulation ----------------------------------------------------------------------------------


@dataclass
class Simulated:
    """A worker in a call: the pieces that it was given, with the seconds that each takes."""

    queue: deque[tuple[Part, float]] = field(default_factory=deque)
    done: float = 0.0  # of the first of them
    planned: bool = False
    busy: float = 0.0


@dataclass(frozen=True)
class Simulation:
    """Seconds that a check takes, and CPU seconds of the busiest worker and of all."""

    seconds: float
    busiest: float
    all_workers: float


def simulated(trace: Trace, nodes: int, cores: float = math.inf, piece: float = 0.0) -> Simulation:
    """A check on so many nodes of one thread each, which share so many cores; each piece of work takes ``piece``
    seconds more than its steps."""
    seconds, busy = trace.driver, [0.0] * nodes
    for call in trace.calls:
        workers = [Simulated() for _ in range(nodes)]
        seconds += _call(call, workers, cores, piece)
        busy = [before + worker.busy for before, worker in zip(busy, workers, strict=True)]
    return Simulation(seconds, max(busy), sum(busy))


def _call(call: Called, workers: Sequence[Simulated], cores: float, piece: float) -> float:
    """Seconds of one call."""
    course, now = Course(call.experiments), 0.0
    while not course.done:
        for ahead, worker in product(range(AHEAD), workers):
            if len(worker.queue) <= ahead and (part := course.due(1, worker.planned)) is not None:
                takes = piece + sum(call.steps[part.first : part.stop]) + (0 if worker.planned else call.planning)
                worker.queue.append((part, takes))
                worker.planned, worker.busy = True, worker.busy + takes
        active = [worker for worker in workers if worker.queue]
        rate = min(1.0, cores / len(active))
        passed = min(worker.queue[0][1] - worker.done for worker in active) / rate
        now += passed
        for worker in active:
            worker.done += passed * rate
            if worker.done >= worker.queue[0][1] - 1e-9:
                part, _ = worker.queue.popleft()
                worker.done = 0.0
                list(course.take(part, {}, len(call.steps)))
    return now


# --- real runs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A check on a real cluster: seconds until all workers had the model open, seconds of the check, CPU seconds of the
    busiest worker and of all, and the steps of each."""

    nodes: int
    opening: float
    seconds: float
    busiest: float
    all_workers: float
    steps: Sequence[int]


def real_runs(plan: Plan, expected: Report, counts: Sequence[int]) -> list[Run]:
    """The check on clusters of so many nodes, in ascending order. Raises SystemExit for another report."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(cluster.address, logging_level=logging.ERROR, log_to_driver=False)
    bench, have, runs = Workbench(store=None, executor=Executor()), 1, list[Run]()
    (circuit,) = plan.measured
    for count in counts:
        for _ in range(have, count):
            cluster.add_node(num_cpus=1)
        have = count
        began = time.perf_counter()
        engine = bench.bench(circuit).session.engine
        assert isinstance(engine, Distributed)
        workers = engine.workers.all()
        opened = time.perf_counter()
        bench.forget_prompts()
        before, ran = _cpu(ray, workers), [worker.ran for worker in workers]
        report = bench.check(plan)
        seconds = time.perf_counter() - opened
        if _figures(report) != _figures(expected):
            raise SystemExit(f"the report of {count} nodes is another one")
        used = [after - earlier for after, earlier in zip(_cpu(ray, workers), before, strict=True)]
        steps = [worker.ran - earlier for worker, earlier in zip(workers, ran, strict=True)]
        runs.append(Run(count, opened - began, seconds, max(used), sum(used), steps))
    ray.shutdown()
    cluster.shutdown()
    return runs


def _cpu(ray: Any, workers: Sequence[Any]) -> list[float]:
    return ray.get([worker.actor.__ray_call__.remote(lambda itself: time.process_time()) for worker in workers])


def _figures(report: Report) -> dict[str, Any]:
    return {name: value for name, value in report.to_dict().items() if name not in ("seconds", "cost")}


# --- large runs --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """A model by its shape, as its family has it, and the bytes of a weight as it runs."""

    geometry: Geometry
    parameters: float
    bytes_a_weight: int


def _size(
    name: str, parameters: float, layers: int, heads: int, width: int, mlp: int, bytes_a_weight: int, shared: int = 1
) -> Size:
    """``shared``: so many heads have the same keys and values."""
    vocabulary = 50304 if name.startswith("pythia") else 128256
    shape = Geometry(name, layers, heads, heads // shared, width, width // heads, mlp, vocabulary, 2048)
    return Size(shape, parameters, bytes_a_weight)


SIZES = (
    _size("pythia-160m", 162e6, 12, 12, 768, 3072, 4),
    _size("pythia-410m", 405e6, 24, 16, 1024, 4096, 4),
    _size("pythia-1b", 1.01e9, 16, 8, 2048, 8192, 4),
    _size("pythia-2.8b", 2.78e9, 32, 32, 2560, 10240, 4),
    _size("pythia-6.9b", 6.86e9, 32, 32, 4096, 16384, 4),
    _size("pythia-12b", 11.8e9, 36, 40, 5120, 20480, 4),
    _size("llama-70b", 70.6e9, 80, 64, 8192, 28672, 2, shared=8),
)

LARGE = "gpt2/ioi"
"""The specification that stands for all."""

TOKENS = 16
"""Of a prompt."""

CARD = 5e13 * 0.42
"""Operations a second of an H100 in float32, and the share of that which the fast engine reaches on a whole check
(docs/benchmarks.md, case c)."""

LINK = 1e9
"""Bytes a second at which a node reads weights: taken, not measured."""

OPENING = 10.0
"""Seconds until a worker has started and mini is open (measured: 9 to 14 on a busy machine)."""


@dataclass(frozen=True)
class Predicted:
    """What specifications on checkpoints of a model cost on some GPUs.

    ``card``: hours of cards; ``driver``: hours of one process that plans and judges; ``together``: hours with all cards
    on one checkpoint after the other; ``apart``: hours with a driver and a checkpoint for each card.
    """

    model: str
    gpus: int
    card: float
    driver: float
    together: float
    apart: float
    moved: float  # GB: weights to cards, together
    memory: float  # GB of a node


@cache
def _planned() -> tuple[Plan, float, float]:
    """The plan of ``LARGE``; passes for its claims and, at most, for each head among which others are looked for."""
    plan, claims = (cd.plan(find_spec(LARGE), unexplained=search) for search in (True, False))
    geometry = plan.measured[0].geometry
    search = plan.fast.total - claims.fast.total
    return plan, claims.fast.total, search / (geometry.n_layers * geometry.n_heads)


def predicted(size: Size, gpus: int, specs: int, checkpoints: int, trace: Trace) -> Predicted:
    """The cost of so many specifications like ``LARGE`` on so many checkpoints of a model."""
    (plan, claims, search), geometry = _planned(), size.geometry
    heads = geometry.n_layers * geometry.n_heads
    work = (claims + search * heads) * plan.prompts * TOKENS * 2 * size.parameters / CARD
    # The driver's part grows with the experiments, of which the search has one a head.
    driver = trace.driver * (plan.distinct + heads) / sum(call.experiments for call in trace.calls)
    shared = trace.planning / (trace.planning + trace.steps)
    weights = size.parameters * size.bytes_a_weight
    opened = OPENING + weights / LINK
    one = driver + work * (shared + (1 - shared) / gpus)
    hour = 3600
    return Predicted(
        geometry.model,
        gpus,
        specs * checkpoints * work / hour,
        specs * checkpoints * driver / hour,
        checkpoints * (opened + specs * one) / hour,
        math.ceil(checkpoints / gpus) * (opened + specs * (driver + work)) / hour,
        checkpoints * gpus * weights / 1e9,
        _memory(plan, size) / 1e9,
    )


def _memory(plan: Plan, size: Size) -> float:
    """Bytes of a node that holds a model, by the engine's own account, with weights as they are stored: twice, for the
    file that they are read from takes memory as well."""
    peak = engines()["fast"].peak
    assert peak is not None
    asked = [replace(each, geometry=size.geometry, model=size.geometry.model) for each in plan.given()]
    memory = peak(asked, 0, 1)
    return memory.total - memory.weights + 2 * size.parameters * size.bytes_a_weight


# --- the command -------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Checks on clusters.")
    parser.add_argument("--spec", default="mini/ioi", help="a specification of one circuit")
    parser.add_argument(
        "--nodes", default="1,2,4", help='sizes of real clusters on this machine, ascending; "" for none'
    )
    parser.add_argument("--cores", type=int, default=2, help="of this machine")
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--checkpoints", type=int, default=154)
    parser.add_argument("--out", type=Path, default=None, help="all figures as JSON")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = make_plan(cd.load(find_spec(given.spec)), unexplained=True)
    trace, report = traced(plan)
    steps = [seconds for call in trace.calls for seconds in call.steps[1:]]
    print(f"{len(trace.calls)} calls, {len(steps)} stacks of {statistics.median(steps):.3f} s (median)")
    print(f"driver {trace.driver:.2f} s, planning and shared runs {trace.planning:.2f} s, steps {trace.steps:.2f} s")
    sent, returned = (sum(getattr(call, name) for call in trace.calls) for name in ("sent", "returned"))
    print(f"sent to each worker {sent:,} bytes, returned by all {returned:,}")
    counts = [int(each) for each in given.nodes.split(",") if each]
    runs = real_runs(plan, report, counts) if counts else []
    _table(
        "nodes",
        "model open, s",
        "check, s",
        "predicted",
        "busiest worker, CPU s",
        "predicted",
        "all workers",
        "predicted",
        "steps of each",
    )
    for run in runs:
        said = simulated(trace, run.nodes, given.cores)
        pairs = ((run.seconds, said.seconds), (run.busiest, said.busiest), (run.all_workers, said.all_workers))
        figures = [f"{figure:.1f}" for pair in pairs for figure in pair]
        _row(run.nodes, f"{run.opening:.1f}", *figures, ", ".join(map(str, run.steps)))
    _table("nodes, a core each", "simulated, s", "times faster")
    alone = simulated(trace, 1).seconds
    for nodes in (1, 2, 4, 8, 16, 32, 64):
        seconds = simulated(trace, nodes).seconds
        _row(nodes, f"{seconds:.1f}", f"{alone / seconds:.1f}")
    _table(
        "model", "GPUs", "cards, h", "driver, h", "together, h", "apart, h", "weights moved, GB", "memory of a node, GB"
    )
    large = [predicted(size, gpus, given.specs, given.checkpoints, trace) for size in SIZES for gpus in (1, 8, 64)]
    for each in large:
        hours = (f"{figure:,.0f}" for figure in (each.card, each.driver, each.together, each.apart, each.moved))
        _row(each.model, each.gpus, *hours, f"{each.memory:.1f}")
    if given.out is not None:
        found = {"trace": asdict(trace), "runs": [*map(asdict, runs)], "large": [*map(asdict, large)]}
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _table(*columns: str) -> None:
    """The head of a table."""
    print()
    _row(*columns)
    _row(*("---" for _ in columns))


def _row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    sys.exit(main())
