"""A panel on a real Ray cluster, a model a node: the panel of one machine, to the bit, also where a node is killed."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ray_nodes import BARE
from safetensors.numpy import load_file, save_file

import circuitdsl as cd
from circuitdsl.check import spread as spread_module
from circuitdsl.check.node import How
from circuitdsl.check.panel import gathered
from circuitdsl.check.progress import unwatched
from circuitdsl.check.spread import Spread
from circuitdsl.engine.cluster.places import Place, start
from circuitdsl.language.resolve import Document
from circuitdsl.models.folders import MINI
from circuitdsl.models.listing import ListedModel, read_listing
from circuitdsl.outcome import Panel, Report, Unmeasured
from circuitdsl.outcome.drift import Recorded
from circuitdsl.report.data.recorded import record

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")

# Ray leaves files and processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

SPEC = """
circuit c {
  model mini
  task ioi
  method { prompts 10 reference 2 }
  role fetcher at END { 2.3 2.5 3.7 }
  edge fetcher -> logits : raises
  expect faithfulness >= 50%
  expect knockout(fetcher) <= -20%
}
"""
MEMORY = 200_000  # bytes: many stacks, so that readings come back before a check is done


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[ListedModel, ...]:
    """mini under two names, one with other weights, whose readings no other model's node can have put into the store,
    and a folder that holds no model any more when it is opened."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two", "broken"):
        shutil.copytree(MINI, folder / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    weights = load_file(folder / "two" / "model.safetensors")
    save_file({name: 1.01 * each for name, each in weights.items()}, folder / "two" / "model.safetensors")
    (folder / "broken" / "model.safetensors").write_bytes(b"no weights")
    (folder / "models.txt").write_text("one\ntwo\nbroken\nmini\n", encoding="utf-8")
    (folder / "c.circuit").write_text(SPEC, encoding="utf-8")
    return read_listing(folder / "models.txt")


@pytest.fixture(scope="module")
def spec(models: tuple[ListedModel, ...]) -> Path:
    return Path(models[0].name).parent / "c.circuit"


@pytest.fixture(scope="module")
def here(models: tuple[ListedModel, ...], spec: Path) -> Panel:
    """The panel of this machine alone."""
    return cd.panel(spec, models, unexplained=False, store=False, memory=MEMORY)


@pytest.fixture(scope="module")
def cluster(warm: tuple[str, ...]) -> Iterator[Any]:
    """Two nodes of one CPU."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        running = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **BARE})
        running.add_node(num_cpus=1)
        begun = {"py_executable": shlex.join(warm)}  # what every worker is a copy of has torch already
        ray.init(running.address, logging_level=logging.ERROR, log_to_driver=False, runtime_env=begun)
        try:
            yield running
        finally:
            ray.shutdown()
            running.shutdown()


def figures(panel: Panel, *lost: str) -> dict[str, Any]:
    """All of a panel but how long it took, what it cost, and its notes of what was lost."""
    found: dict[str, Any] = {k: v for k, v in panel.to_dict().items() if k not in ("seconds", "cost")}
    found["notes"] = [note for note in found["notes"] if note not in lost]
    columns = [column.to_dict() for column in panel.columns]
    models = [{name: value for name, value in each.items() if name not in ("seconds", "cost")} for each in columns]
    return found | {"models": models}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The workers that are started, by their nodes."""
    actors: dict[str, Any] = {}

    def recorded(library: Any, kind: type, place: Place, *arguments: Any) -> Any:
        actors[place.node] = start(library, kind, place, *arguments)
        return actors[place.node]

    monkeypatch.setattr(spread_module, "start", recorded)
    return actors


def test_an_interrupt_ends_the_workers(
    cluster: Any, models: tuple[ListedModel, ...], spec: Path, started: dict[str, Any]
):
    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cd.panel(spec, models, unexplained=False, store=False, memory=MEMORY, executor="ray", progress=stop)
    assert len(started) == 2
    for actor in started.values():
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(actor.open.remote())


def test_the_panel_is_that_of_one_machine_also_where_a_node_is_killed(
    cluster: Any,
    models: tuple[ListedModel, ...],
    spec: Path,
    here: Panel,
    tmp_path: Path,
    started: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
):
    (victim,) = cluster.worker_nodes
    store = cd.Store.in_folder(tmp_path)
    seen: Counter[str] = Counter()
    lost: dict[str, int] = {}
    begun: list[ListedModel] = []

    def read(model: ListedModel) -> Document:
        """Before the first model, wait until every worker is open: each is to have one."""
        if not begun:
            ray.get([actor.__ray_call__.remote(lambda itself: None) for actor in started.values()])
        begun.append(model)
        return cd.load(spec, model=model.name)

    def put(itself: cd.Store, readings: Mapping[str, Any]) -> None:
        """Keep readings; while its worker waits for the answer to the first that come from it, kill the node."""
        real(itself, readings)
        grown = [label for label, count in spread.kept.items() if count > seen[label]]
        seen.update({label: spread.kept[label] - seen[label] for label in grown})
        if not lost and any(spread.at_work[label].node == victim.node_id for label in grown):
            lost.update({label: spread.kept[label] for label in grown})
            worker = ray.get(started[victim.node_id].__ray_call__.remote(lambda itself: os.getpid()))
            os.kill(victim.all_processes["raylet"][0].process.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):  # it ends with its node, sooner or later
                os.kill(worker, signal.SIGKILL)

    real = cd.Store.put
    monkeypatch.setattr(cd.Store, "put", put)
    how = How(False, "fast", None, "float32", "", MEMORY, store, record, str(Path.cwd()))
    spread = Spread(ray, models, read, how, unwatched)
    found = gathered(models, spread.columns())
    (label,) = lost
    (note,) = spread.notes
    assert figures(found) == figures(here) and figures(here)["notes"]  # names of the same weights
    assert f"was lost at {label}, which went on from " in note
    for column, alone in zip(found.columns, here.columns, strict=True):
        assert column.cost.experiments + column.cost.kept == alone.cost.experiments + alone.cost.kept
        if column.label == label:
            assert column.cost.kept >= lost[label]
    again = gathered(models, Spread(ray, models, read, how, unwatched).columns())
    assert figures(again) == figures(here) and again.cost.experiments == 0


def test_a_model_that_ends_its_workers_is_an_error_of_its_own(
    cluster: Any, models: tuple[ListedModel, ...], spec: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Also at a single place, as one is left of the cluster, with fewer starts than losses of a model."""
    deadly, good = models[:2]

    def read(model: ListedModel) -> Document:
        return cd.load(spec, model=model.name)

    def deadly_record(report: Report) -> Recorded:
        found = record(report)
        if any(name == deadly.name for _, name in found.weights.values()):
            os._exit(1)
        return found

    monkeypatch.setattr(spread_module, "MOST_STARTS", 1)
    monkeypatch.setattr(spread_module, "MOST_LOSSES", 1)
    store = cd.Store.in_folder(tmp_path)
    how = How(False, "fast", None, "float32", "", MEMORY, store, deadly_record, str(Path.cwd()))
    spread = Spread(ray, (deadly, good), read, how, unwatched)
    ended, checked = gathered((deadly, good), spread.columns()).columns
    assert isinstance(ended.found, Unmeasured) and "2 workers ended while they checked it" in ended.found.problem
    assert isinstance(checked.found, Recorded) and len(spread.lost) == 2
