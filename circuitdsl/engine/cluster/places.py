"""Where on a cluster something can run: a node of it, or one of a node's GPUs."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitdsl import allocator
from circuitdsl.engine.cluster.executor import connected
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    import torch

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Place:
    """A node by its number in Ray and its name, with so many threads; ``gpu`` is the number of its GPU among those of
    the node, None for the CPUs."""

    node: str
    host: str
    threads: int
    gpu: int | None


def places(ray: Any, device: str | None) -> tuple[Place, ...]:
    """Every node that is there, or every GPU where any node has one and the device is not the CPU.

    Raises InputError where a GPU is asked for and there is none, and RunError where the cluster is lost.
    """
    with connected(ray):
        there = ray.nodes()
    nodes = [node for node in there if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    gpus = [node for node in nodes if node["Resources"].get("GPU", 0) >= 1]
    if device == "cuda" and not gpus:
        raise InputError("no node of the cluster has a GPU", "leave out the device")
    found: list[Place] = []
    for node in nodes if device == "cpu" or not gpus else gpus:
        resources = node["Resources"]
        here = int(resources.get("GPU", 0)) if device != "cpu" else 0
        threads = int(resources["CPU"]) // max(1, here) or 1
        for gpu in range(here) if here else (None,):
            found.append(Place(node["NodeID"], node["NodeManagerHostname"], threads, gpu))
    return tuple(found)


def start(ray: Any, kind: type, place: Place, *arguments: object) -> Any:
    """An actor at a place. Raises RunError where the cluster is lost."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Workers of several models wait for each other in one check, and share the CPUs and GPUs of their node: what one of
    # them reserved, the others would never get.
    options: dict[str, Any] = {"num_cpus": 0, "num_gpus": 0, "max_restarts": 0}
    here = NodeAffinitySchedulingStrategy(place.node, soft=False)
    with connected(ray):
        return ray.remote(kind).options(**options, scheduling_strategy=here).remote(*arguments)


def settle(threads: int, gpu: int | None, folder: str) -> None:
    """Make this process one that runs a model at a place; names of folders count from ``folder``."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, as the command line does
    allocator.set_up()
    if gpu is not None:
        os.environ[_VISIBLE] = visible(os.environ.get(_VISIBLE, ""), gpu)
    with suppress(OSError):  # a node may not have the folder, and need not where names are not of folders
        os.chdir(folder)
    import torch

    torch.set_num_threads(threads)


def visible(gpus: str, number: int) -> str:
    """What a process is to see that runs on one of the GPUs that its node sees: "" for all there are.

    >>> visible("", 1), visible("4,5", 1)
    ('1', '5')
    """
    return gpus.split(",")[number] if gpus else str(number)


def hardware(device: torch.device) -> str:
    """What the last digits of a sum depend on: the instructions of the CPU that torch uses, and the kind of GPU."""
    import torch

    capability = f"CPUs with {torch.backends.cpu.get_cpu_capability()}"
    return f"{capability} and {torch.cuda.get_device_name(device)}" if device.type == "cuda" else capability
