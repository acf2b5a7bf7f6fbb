"""Specifications made from a model and a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl import tasks
from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import require_shapes, shapes_of, tokenizers_of
from circuitdsl.api.reading import Findings
from circuitdsl.api.sweeping import read_one_sweep
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError, require
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import DraftReport
    from circuitdsl.plan.plan import Plan


@checked
def plan_draft(
    task: str | Path,
    *,
    model: AnyModel = "mini",
    mlps: bool = True,
    against: str | Iterable[str] = (),
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> Plan:
    """The first stage of a :func:`draft` and the most that it costs; what follows depends on what it finds. Raises as
    that does.
    Without ``against`` the counterfactuals are those that the task's first prompts tell, or the task's own where the
    model's tokenizer is not here.

    >>> plan_draft("ioi").prompts
    200
    """
    from circuitdsl.draft.asked import patched_from
    from circuitdsl.draft.counterfactuals import chosen
    from circuitdsl.draft.search import first_stage

    found = read_one_sweep(task, (), model, revision, (), warned, settings)
    circuit, patched = patched_from(found.circuit, _names(against))
    method, (name, tokenizer_of) = circuit.method, tokenizers_of(model, revision)
    if not patched:
        try:
            tokenizer = tokenizer_of(name or "")
        except InputError:  # a model that is not here can be planned for, by what the task itself patches from
            patched = (method.against,)
        else:
            drawn = tasks.draw(circuit.task, tokenizer, method.prompts_first, method.seed, method.bos)
            patched = chosen(method.against, drawn.prompts)
    made = first_stage(circuit, mlps, patched)
    require_shapes(made.all_circuits, None, revision)
    return made


@checked
def draft(
    task: str | Path,
    *,
    model: AnyModel = "mini",
    output: str | Path | None = None,
    fdr: str | None = None,
    top: str | None = None,
    stages: int = 8,
    mlps: bool = True,
    against: str | Iterable[str] = (),
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
    **settings: str | int,
) -> DraftReport:
    """A specification of a circuit that was found by path patching on some prompts, and holds on others.

    ``task`` and ``settings`` are as for :func:`sweep`; ``prompts`` is the number of either half. ``fdr`` ("5%") is the
    share of false senders among those that enter a stage, on average; ``top`` ("2%") takes the largest in its place.
    The search goes back ``stages`` stages at most, for heads and, with ``mlps``, MLPs. It patches from each of the
    counterfactuals ``against`` ("all": the task's), of which the first is the method's; by itself from the task's own,
    and from every further one that changes what those before it leave as it is. ``unexplained`` looks for heads that
    matter and are not listed.
    ``output`` is where the specification is to stand: it is not written there, its text is that of the report, but the
    two halves of a file of prompts are written beside it. Other arguments as for :func:`check`. Raises InputError for
    what no draft can be made of and for what cannot be had, SpecError for what the language does not allow.
    """
    from circuitdsl.draft.asked import read_draft
    from circuitdsl.draft.drafting import draft as drafted

    known, name = shapes_of(model, revision)
    written = {each: str(value) for each, value in settings.items()}
    place = None if output is None else Path(output)
    asked = read_draft(str(task), name, fdr, top, stages, mlps, _names(against), place, written, known)
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    with followed(progress) as told:
        return drafted(asked, bench, told, unexplained)


def _names(written: str | Iterable[str]) -> tuple[str, ...]:
    names = (written,) if isinstance(written, str) else tuple(written)
    for name in names:
        require(name, str, "a counterfactual is given by its name", 'write against=["abc"]')
    return names
