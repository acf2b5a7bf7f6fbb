"""A check on a real Ray cluster: the report of one machine, to the bit, whatever becomes of its nodes."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command_line import process
from ray_nodes import BARE

import circuitdsl as cd
from circuitdsl.check.interrupted import Interrupted
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine.cluster import places as places_module
from circuitdsl.engine.cluster.course import AHEAD, STACKS_A_THREAD
from circuitdsl.engine.cluster.distributed import Distributed
from circuitdsl.engine.cluster.executor import Executor
from circuitdsl.engine.cluster.places import places, start, usable
from circuitdsl.engine.cluster.worker import Worker
from circuitdsl.errors import InputError
from circuitdsl.outcome import Report
from circuitdsl.plan.plan import Plan, make_plan

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")

# Ray leaves files and processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

SPEC = """
circuit c {
  model mini
  task ioi
  method { prompts 10 reference 2 members knockout }
  role caller at END { 1.0 1.1 }
  role fetcher at END { 2.3 2.4 2.5 3.7 }
  edge caller -> logits : raises
  expect logit_diff >= 5
  expect faithfulness >= 50%
  expect knockout(fetcher) <= -20%
}
"""
MEMORY = 200_000  # bytes: many stacks


@dataclass
class Running:
    """A cluster of some nodes of one CPU each, and a workbench of its own on it."""

    cluster: Any
    address: str
    bench: Workbench
    plan: Plan
    nodes: list[Any] = field(default_factory=list)

    @property
    def engine(self) -> Distributed:
        (circuit,) = self.plan.measured
        engine = self.bench.bench(circuit).session.engine
        assert isinstance(engine, Distributed)
        return engine

    @property
    def ran(self) -> int:
        """Steps that its workers have run."""
        return sum(placed.ran for placed in self.engine.workers.ready)

    def of(self, nodes: int) -> None:
        """Have so many nodes at least, each with an open worker, and nothing measured."""
        while len(self.nodes) < nodes:
            self.nodes.append(self.cluster.add_node(num_cpus=1))
        assert len(self.engine.workers.all()) == len(self.nodes)
        self.bench.forget_prompts()


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("spec") / "c.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return make_plan(cd.load(path), unexplained=False)


@pytest.fixture(scope="module")
def here(plan: Plan) -> Report:
    """The report of this machine alone."""
    return Workbench(memory=MEMORY, store=None).check(plan)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def running(plan: Plan, monkeypatch_module: pytest.MonkeyPatch, warm: tuple[str, ...]) -> Iterator[Running]:
    from ray.cluster_utils import Cluster

    # What serves an address forks while gRPC's threads run: with gRPC's own care for that, the child ends now and then.
    monkeypatch_module.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
    # On a busy machine it may take longer than Ray waits for it.
    monkeypatch_module.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "100")
    monkeypatch_module.setenv("RAY_worker_niceness", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = {"num_cpus": 1, "ray_client_server_port": port, **BARE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    begun = {"py_executable": shlex.join(warm)}  # what every worker is a copy of has torch already
    ray.init(cluster.address, logging_level=logging.ERROR, log_to_driver=False, runtime_env=begun)
    try:
        bench = Workbench(memory=MEMORY, store=None, executor=Executor())
        yield Running(cluster, f"ray://127.0.0.1:{port}", bench, plan, [cluster.head_node])
    finally:
        ray.shutdown()
        cluster.shutdown()


def figures(report: Report) -> dict[str, Any]:
    """All of a report but how long it took, and what it cost."""
    return {name: value for name, value in report.to_dict().items() if name not in ("seconds", "cost", "notes")}


def test_a_command_runs_on_the_cluster_at_an_address(
    running: Running, here: Report, tmp_path: Path, warm: tuple[str, ...]
):
    (tmp_path / "c.circuit").write_text(SPEC, encoding="utf-8")
    ended = process(
        "check",
        "c.circuit",
        "--no-cache",
        "--no-unexplained",
        "--executor",
        running.address,
        "-q",
        cwd=tmp_path,
        python=warm,
    )
    assert ended.code == here.exit_code, ended.err
    assert ended.err == ""


@pytest.mark.parametrize("nodes", [1, 3])
def test_the_report_is_that_of_one_machine_to_the_bit(running: Running, plan: Plan, here: Report, nodes: int):
    running.of(nodes)
    before = {placed: placed.ran for placed in running.engine.workers.ready}
    found = running.bench.check(plan)
    assert figures(found) == figures(here)
    assert found.notes == here.notes
    assert found.cost.experiments == here.cost.experiments
    ran = [placed.ran - before[placed] for placed in running.engine.workers.ready]
    assert len(ran) == nodes and all(ran), ran


def test_a_node_that_is_killed_loses_only_what_it_was_computing(running: Running, plan: Plan, here: Report):
    running.of(2)
    victim = running.nodes[-1]
    (worker,) = (placed for placed in running.engine.workers.ready if placed.place.node == victim.node_id)
    frozen, killed = ray.get(worker.actor.__ray_call__.remote(lambda itself: os.getpid())), False

    def kill(done: int, total: int, what: str) -> None:
        """Kill the node while its worker has work, of which it can finish none any more; it may be given another piece
        before that is known."""
        nonlocal killed
        if not killed and worker.flying:
            killed = True
            os.kill(frozen, signal.SIGSTOP)
            os.kill(victim.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    try:
        found = running.bench.check(plan, kill)
    finally:
        running.nodes.remove(victim)
        with suppress(ProcessLookupError):  # it ends with its node, as a rule
            os.kill(frozen, signal.SIGKILL)
    assert figures(found) == figures(here)
    assert len(running.engine.workers.lost) == 1
    assert 0 < running.engine.lost.steps <= AHEAD * STACKS_A_THREAD < running.ran  # the pieces that a worker has
    assert f"{running.engine.lost.steps} steps" in " ".join(found.notes)


def test_workers_at_a_gpu_share_what_ray_has_reserved_for_the_job(running: Running, monkeypatch: pytest.MonkeyPatch):
    """Two for each GPU of a node, as of two models; the node says that it has GPUs, and nothing runs on them."""
    from ray.util import get_placement_group, placement_group, remove_placement_group

    node = running.cluster.add_node(num_cpus=1, num_gpus=2)
    here = [{"ray.io/node-id": node.node_id}]
    others = [placement_group([{"GPU": 1}], bundle_label_selector=here) for _ in range(2)]
    assert all(other.wait(60) for other in others)
    monkeypatch.setattr(places_module, "_WAIT", 1.0)
    there = places(ray, None)
    try:
        assert [(each.node, each.gpu) for each in there] == [(node.node_id, 0), (node.node_id, 1)]
        with pytest.raises(InputError, match="other jobs have reserved all GPUs"):
            usable(ray, None, begun=False)
        assert usable(ray, None, begun=True) == ((), 2)
        for other in others:
            remove_placement_group(other)
        assert all(get_placement_group(each.group).wait(60) for each in there)
        assert usable(ray, None, begun=False) == (there, 0)
        assert not ray.available_resources().get("GPU")
        actors = [start(ray, Worker, each, None, 1) for each in there for _ in range(2)]
        sees = [actor.__ray_call__.remote(lambda itself: os.environ["CUDA_VISIBLE_DEVICES"]) for actor in actors]
        one, same, other, also = ray.get(sees)
        assert {one, other} == {"0", "1"} and (one, other) == (same, also)
        assert {each.gpu for each in places(ray, "cpu")} == {None}
    finally:
        for each in there:
            remove_placement_group(get_placement_group(each.group))
        running.cluster.remove_node(node)


def test_an_interrupt_ends_the_workers_and_tells_what_is_known(running: Running, plan: Plan, here: Report):
    running.of(2)
    actors = [placed.actor for placed in running.engine.workers.ready]
    before = running.ran

    def stop(done: int, total: int, what: str) -> None:
        if running.ran > before + 10:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        running.bench.check(plan, stop)
    assert not running.engine.workers.ready
    for actor in actors:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(actor.facts_in.remote(""))
