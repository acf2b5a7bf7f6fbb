"""Where on a cluster something can run: a node of it, or one of a node's GPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from circuitdsl import allocator
from circuitdsl.engine.cluster.executor import connected
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    import torch

_SHARE = 0.001
"""Of the GPU that a job has reserved, what Ray counts for each of its workers there: it sees this GPU alone."""

_WAIT = 30.0  # seconds for all GPUs to be free


@dataclass(frozen=True)
class Place:
    """A node by its number in Ray and its name, with so many threads; ``gpu`` counts the GPUs of the node,
    None for the CPUs: which of them it is, Ray says."""

    node: str
    host: str
    threads: int
    gpu: int | None

    @property
    def group(self) -> str:
        """What Ray calls the reservation of its GPU."""
        return f"circuitdsl {self.node} {self.gpu}"


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


def usable(ray: Any, device: str | None, begun: bool) -> tuple[tuple[Place, ...], int]:
    """The places that can be used, and the number of GPUs that cannot, since other jobs have them.

    Raises as :func:`places`, and InputError where none can be used and nothing has ``begun``.
    """
    there = places(ray, device)
    free = _reserved(ray, there)
    if there and not free and not begun:
        raise InputError(
            "other jobs have reserved all GPUs of the cluster", "wait for their end, or run on --device cpu"
        )
    return free, len(there) - len(free)


def _reserved(ray: Any, found: Sequence[Place]) -> tuple[Place, ...]:
    """Those of some places that can be used: of GPUs those that Ray keeps for this job, until it ends and for its next
    call, too. What is asked for the first time is waited for; what another job has may come with a later call.

    Raises RunError where the cluster is lost.
    """
    from ray.util import get_placement_group, placement_group, placement_group_table

    groups, new = dict[Place, Any](), list[Any]()
    with connected(ray):
        for place in found:
            if place.gpu is None:
                continue
            try:
                groups[place] = get_placement_group(place.group)
            except ValueError:
                here = [{"ray.io/node-id": place.node}]
                groups[place] = placement_group([{"GPU": 1}], name=place.group, bundle_label_selector=here)
                new.append(groups[place])
        until = monotonic() + _WAIT
        for group in new:
            group.wait(max(1.0, until - monotonic()))
        taken = {place for place, group in groups.items() if placement_group_table(group)["state"] != "CREATED"}
    return tuple(place for place in found if place not in taken)


def some_taken(count: int) -> str:
    """What a report says of GPUs that were not to be had; "" for none."""
    return f"GPUs of the cluster that were not used, since other jobs have reserved them: {count}" if count else ""


def start(ray: Any, kind: type, place: Place, *arguments: object) -> Any:
    """An actor at a place. Raises RunError where the cluster is lost."""
    from ray.util import get_placement_group
    from ray.util import scheduling_strategies as strategies

    # Workers of several models wait for each other in one check, and share the CPUs of their node and a GPU: what one
    # of them reserved for itself, the others would never get.
    options: dict[str, Any] = {"num_cpus": 0, "num_gpus": 0 if place.gpu is None else _SHARE, "max_restarts": 0}
    with connected(ray):
        if place.gpu is None:
            here = strategies.NodeAffinitySchedulingStrategy(place.node, soft=False)
        else:
            here = strategies.PlacementGroupSchedulingStrategy(get_placement_group(place.group), 0)
        return ray.remote(kind).options(**options, scheduling_strategy=here).remote(*arguments)


def settle(threads: int, folder: str) -> None:
    """Make this process one that runs a model at a place; names of folders count from ``folder``."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, as the command line does
    allocator.set_up()
    with suppress(OSError):  # a node may not have the folder, and need not where names are not of folders
        os.chdir(folder)
    import torch

    torch.set_num_threads(threads)


def hardware(device: torch.device) -> str:
    """What the last digits of a sum depend on: the instructions of the CPU that torch uses, and the kind of GPU."""
    import torch

    capability = f"CPUs with {torch.backends.cpu.get_cpu_capability()}"
    return f"{capability} and {torch.cuda.get_device_name(device)}" if device.type == "cuda" else capability
