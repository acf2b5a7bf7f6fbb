"""Two circuits, side by side and on their model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.prompts import with_prompt_count
from circuitdsl.api.reading import AnyCircuit, circuit_of
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.compare.versions import Difference
from circuitdsl.compare.versions import changes as differences
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, Comparison
from circuitdsl.language.comparisons import read_align
from circuitdsl.measures.comparisons import KINDS, Kind
from circuitdsl.measures.measurement import Align, CannotMeasure
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.compare.structure import Structure
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import CircuitDiff, FunctionalComparison


@checked
def compare(left: AnyCircuit, right: AnyCircuit, align: Align = ()) -> Structure:
    """How far two circuits, or those of two files, are the same description: heads, nodes, roles and edges, against
    chance.

    Roles are counterparts as ``align`` says, else by name, else by the most shared heads. Raises SpecError for roles
    that are not there or are aligned twice.
    """
    from circuitdsl.compare.structure import compare as compared

    left, right = _two("compare", left, right)
    return compared(left, right, _aligned(left, right, align))


@checked
def compare_function(
    left: AnyCircuit,
    right: AnyCircuit,
    align: Align = (),
    model: AnyModel | None = None,
    prompts: int | None = None,
    store: Store | bool = True,
    kinds: Iterable[Kind] = KINDS,
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    quoted: float | None = None,
    engine: str = "fast",
    memory: int = 0,
    executor: str | None = None,
    progress: Progress | None = None,
) -> FunctionalComparison:
    """Compare two circuits in structure, in function and over all thresholds: ``compare`` and more, on the model.

    Measured are what each circuit, their shared and their single parts do on both tasks, whether they dissociate, and
    the overlap curves of these ``kinds``, which say where an overlap of ``quoted`` (a fraction; by itself the two
    circuits' own) would arise. A file is read by the shape of ``model``. Other arguments as for ``check``. Raises
    InputError for circuits of two models, and for an argument, a model or a task that cannot be had; SpecError for
    ``align`` as :func:`compare` does.
    """
    from circuitdsl.plan.function import plan_function

    both = _two("compare_function", left, right, model, revision)
    left, right = (with_prompt_count(circuit, prompts) for circuit in both)
    pairs = _aligned(left, right, align)
    wanted = tuple(kinds)
    for kind in wanted:
        if kind not in KINDS:
            raise InputError(f"no curve is called {kind}", f"curves: {', '.join(KINDS)}")
    if quoted is not None and not 0 <= quoted <= 1:
        raise InputError(f"a quoted overlap of {quoted} is no share", "give a fraction from 0 to 1: 0.78")
    opening = Opening(device, revision, dtype)
    try:
        planned = plan_function(left, right, pairs, wanted)
    except CannotMeasure as reason:
        raise InputError(str(reason), "compare their structure only") from reason
    bench = workbench(model, store, engine, memory, opening, "", executor)
    with followed(progress) as told:
        return bench.compare(planned, quoted, told)


@checked
def changes(before: AnyCircuit, after: AnyCircuit) -> tuple[Difference, ...]:
    """What a version of a circuit, or that of a file, says that another does not: nodes, roles, edges, claims, method.

    Raises InputError for what is no circuit, SpecError for wrong text.
    """
    return differences(*_two("changes", before, after))


@checked
def diff(
    left: AnyCircuit,
    right: AnyCircuit,
    align: Align = (),
    block: Comparison | None = None,
    functional: FunctionalComparison | None = None,
) -> CircuitDiff:
    """Two circuits, or those of two files, side by side: what they share, and what two versions of one say differently.

    ``block`` is the compare block that names them, ``functional`` what :func:`compare_function` found, where there are
    such. Raises as :func:`compare` does.
    """
    from circuitdsl.outcome import CircuitDiff

    left, right = _two("diff", left, right)
    compared = compare(left, right, align)
    same = left.name == right.name or (left.model, left.task) == (right.model, right.task)
    return CircuitDiff(left, right, compared, differences(left, right) if same else None, block, functional)


def _two(
    function: str, left: AnyCircuit, right: AnyCircuit, model: AnyModel | None = None, revision: str | None = None
) -> tuple[Circuit, Circuit]:
    """The two circuits that a function is given, as :func:`circuit_of` has each."""
    first, second = (circuit_of(each, function, "two circuits or files", model, revision) for each in (left, right))
    return first, second


def _aligned(left: Circuit, right: Circuit, align: Align) -> tuple[tuple[str, str], ...]:
    """Pairs of roles, checked as the ``align`` lines of a compare block are."""
    try:
        written = [f"{ours} ~ {theirs}" for ours, theirs in align]
    except (TypeError, ValueError) as error:
        raise InputError("align takes pairs of roles", 'write it as [("mover", "fetcher")]') from error
    return read_align(written, left, right, "align") if written else ()
