"""What a report says of the prompts that means and resampled outputs were taken from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from circuitdsl.actions import Ablation
from circuitdsl.engine.references import Reference, groups_of_each
from circuitdsl.engine.session import Session
from circuitdsl.language.circuit import Circuit, Method
from circuitdsl.measures.experiments import Data, Drawn, Resample, Source, Zero
from circuitdsl.measures.measurement import CannotMeasure, ablation_source, data_of
from circuitdsl.outcome import ReferenceSize


def sources_of(method: Method) -> Iterator[Source]:
    """Where ablation takes its values from: first the method's, then those that it varies. Zero for one that cannot be
    had, which every claim that needs it says."""
    for ablate in (method.ablate, *(value for setting, value in method.vary if setting == "ablate")):
        try:
            yield ablation_source(method, cast(Ablation, ablate))
        except CannotMeasure:
            yield Zero()


def size_of(session: Session, data: Data, source: Source) -> ReferenceSize | None:
    """The reference of a source in numbers; None for a source that has none."""
    if not isinstance(source, Drawn):
        return None
    reference = session.reference(data, source)
    groups = [len(own) for own in reference.groups.values()]
    prompts = [len(group.prompts) for group in reference.labelled()]
    return ReferenceSize(
        resampled=isinstance(source, Resample),
        templates=len(groups) if reference.by_template else None,
        groups=(min(groups), max(groups)),
        prompts=(min(prompts), max(prompts)),
    )


def notes_on(session: Session, data: Data, *sources: Source) -> tuple[str, ...]:
    """What of the references should be known of figures that depend on them: too few prompts, or a single group."""
    drawn = dict.fromkeys(source for source in sources if isinstance(source, Drawn))
    return tuple(note for source in drawn for note in _notes(source, session.reference(data, source)))


def _notes(source: Drawn, reference: Reference) -> Iterator[str]:
    known = (len(own) > 1 for own in reference.groups.values())
    if reference.whole or (reference.counted and all(known)):
        return
    template, prompts = min(((t, own[0]) for t, own in reference.groups.items()), key=lambda item: len(item[1]))
    short = "" if len(prompts) == reference.size else f", where it should be {reference.size}"
    what = "resampled outputs are taken from" if isinstance(source, Resample) else "the mean is taken over"
    of_template = f" of the template {template}" if template else ""
    enough = reference.size * groups_of_each(len(reference.groups))
    yield (
        f"{what} {len(prompts)} prompt{'s' * (len(prompts) != 1)}{of_template}{short}, and there are too few groups of "
        f"them for the intervals to know its noise: {enough} prompts{' of each template' if template else ''} "
        "are enough"
    )


def notes_on_task(session: Session, circuit: Circuit) -> Iterator[str]:
    """The notes on what replaced values come from on a circuit's task, which name the circuit."""
    for note in notes_on(session, data_of(circuit), next(sources_of(circuit.method))):
        yield f"on {circuit.name}'s task {note}"
