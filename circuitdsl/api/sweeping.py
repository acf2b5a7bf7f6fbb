"""Senders measured one by one on a task, with no circuit written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import require_shapes, shapes_of
from circuitdsl.api.reading import Findings, after_warning
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.language.sweep import Sweep, read_sweep
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import SweepReport
    from circuitdsl.plan.plan import Plan


@checked
def plan_sweep(
    task: str | Path,
    *terms: str,
    model: AnyModel = "mini",
    revision: str | None = None,
    dictionaries: Sequence[str] = (),
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> Plan:
    """The experiments of a :func:`sweep` and their cost. Runs nothing. Raises as :func:`sweep` does.

    >>> plan_sweep("ioi", "heads at S2 -> 2.3.v").prompts
    200
    """
    made = _sweep_plan(task, terms, model, revision, dictionaries, warned, settings)
    require_shapes(made.all_circuits, None, revision)
    return made


@checked
def sweep(
    task: str | Path,
    *terms: str,
    model: AnyModel = "mini",
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    dictionaries: Sequence[str] = (),
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> SweepReport:
    """Measure senders one by one on a task, with no circuit written.

    ``task`` is written as in a specification, or names a file of prompts (``my.jsonl``). ``terms`` are measurements of
    the language, each measured for every one of its heads or senders alone: ``"effect(heads at S2 -> 9.6.q at END)"``
    or ``"heads at S2 -> 9.6.q at END"``, ``"knockout({ heads mlps })"``, ``"attention(heads, END -> S2)"``. ``heads``
    and ``mlps`` are all that the model has; without terms, all of them at END into the logits. ``dictionaries`` are
    written as in a circuit, ``'a1 at attn_out 1 from "folder"'``, and ``a1.*`` are all features of one: a feature that
    is the same on all prompts and counterfactuals is not measured. ``settings`` are those
    of a ``method`` block, written as there: ``metric="probability"``, ``prompts=100``, ``floor="2%"``. Other arguments
    as for :func:`check`; a sweep that was cut off goes on from what its ``store`` has. Raises SpecError for what the
    language does not allow, InputError for what no sweep can be of and for what cannot be had.
    """
    made = _sweep_plan(task, terms, model, revision, dictionaries, warned, settings)
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    with followed(progress) as told:
        return bench.sweep(made, told)


def _sweep_plan(
    task: str | Path,
    terms: Sequence[str],
    model: AnyModel,
    revision: str | None,
    dictionaries: Sequence[str],
    warned: Callable[[Findings], None] | None,
    settings: Mapping[str, str | int],
) -> Plan:
    from circuitdsl.plan.plan import Plan
    from circuitdsl.plan.sweep import plan_sweep as started_sweep

    return Plan(sweeps=(started_sweep(read_one_sweep(task, terms, model, revision, dictionaries, warned, settings)),))


def read_one_sweep(
    task: str | Path,
    terms: Sequence[str],
    model: AnyModel,
    revision: str | None,
    dictionaries: Sequence[str],
    warned: Callable[[Findings], None] | None,
    settings: Mapping[str, str | int],
) -> Sweep:
    known, name = shapes_of(model, revision)
    written = {each: str(value) for each, value in settings.items()}
    found = read_sweep(str(task), terms, name, written, known, dictionaries)
    after_warning(found.loaded, warned)
    return found
