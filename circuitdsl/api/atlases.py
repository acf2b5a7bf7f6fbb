"""Three circuits and more, every two side by side, and each on the task of every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.prompts import with_prompt_count
from circuitdsl.api.reading import AnyCircuit, circuit_of
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import Atlas, AtlasFunction


@checked
def atlas(*circuits: AnyCircuit, function: AtlasFunction | None = None) -> Atlas:
    """Three circuits or files or more side by side: what every two share, against chance, and which are alike.

    ``function`` is what :func:`measure_atlas` found of the same circuits. Circuits of one name are told apart by their
    files. Raises InputError for fewer, and for what is no circuit.
    """
    from circuitdsl.compare.atlas import alike_together, notes_on_all, pairs_of
    from circuitdsl.outcome import Atlas

    named = _told_apart("atlas", circuits)
    if function is not None and len(function.performance) != len(named):
        raise InputError("these figures are of other circuits", "give those of measure_atlas on the same circuits")
    pairs = pairs_of(named)
    return Atlas(named, pairs, alike_together(pairs), function, notes_on_all(named))


@checked
def measure_atlas(
    *circuits: AnyCircuit,
    model: AnyModel | None = None,
    prompts: int | None = None,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
) -> AtlasFunction:
    """What each of several circuits of one model does for every one's task: kept alone (transfer), and knocked out.

    On another circuit's task its heads stand at all positions. All intervals of a measurement hold together
    (Bonferroni). A file is read by the shape of ``model``. Arguments as for :func:`check`. Raises InputError for
    circuits of several models, and for an argument, a model or a task that cannot be had.
    """
    from circuitdsl.check.atlas import measure_atlas as measured
    from circuitdsl.plan.atlas import plan_atlas

    apart = _told_apart("measure_atlas", circuits, model, revision)
    named = tuple(with_prompt_count(circuit, prompts) for circuit in apart)
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    try:
        planned = plan_atlas(named)
    except CannotMeasure as reason:
        raise InputError(str(reason), "compare their structure only") from reason
    with followed(progress) as told:
        return measured(planned, bench, told)


def _told_apart(
    function: str, given: Sequence[AnyCircuit], model: AnyModel | None = None, revision: str | None = None
) -> tuple[Circuit, ...]:
    """Three circuits or more that a function is given, those that share a name with their files in it."""
    circuits = [circuit_of(each, function, "circuits or files", model, revision) for each in given]
    if len(circuits) < 3:
        raise InputError(f"an atlas is of three circuits or more, and here are {len(circuits)}", "compare two by diff")
    names = Counter(circuit.name for circuit in circuits)
    named = [c if names[c.name] == 1 else replace(c, name=f"{c.name} ({c.file})") for c in circuits]
    if len({circuit.name for circuit in named}) < len(named):
        raise InputError("a circuit is given twice", "give each circuit once")
    return tuple(named)
