"""Many models one after the other: each is opened, checked and closed before the next, and what was found is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from circuitdsl.check.interrupted import Interrupted
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError
from circuitdsl.models.listing import ListedModel
from circuitdsl.outcome import Report
from circuitdsl.outcome.drift import Recorded
from circuitdsl.outcome.panel import Panel, PanelColumn, Unmeasured, panel_of
from circuitdsl.version import JUDGED, versions


def check_panel(
    models: Sequence[ListedModel],
    check: Callable[[ListedModel, Progress], Report],
    record: Callable[[Report], Recorded],
    progress: Progress,
) -> Panel:
    """A panel of some models, at least one.

    ``check`` opens a model, checks everything on it and keeps nothing of it; of its report what ``record`` says is
    kept. What cannot be opened or run is an error of its column. Raises InputError if all models are such, and
    Interrupted with the panel of the models that were done by then; of the first with what is known of it.
    """
    columns: list[PanelColumn] = []
    first: InputError | None = None
    followed = _OfMany(progress, len(models))
    try:
        for model in models:
            try:
                report = check(model, followed.of(model.label))
                columns.append(PanelColumn(model, record(report), report.cost, report.seconds))
                del report
            except InputError as error:
                columns.append(PanelColumn(model, Unmeasured(error.message, error.remedy, error.exit_code)))
                first = first or _bare(error)
            # A model is full of references in circles: its memory is free when these are collected, and not before.
            gc.collect()
    except KeyboardInterrupt as stopped:
        if not columns:
            if not isinstance(stopped, Interrupted) or isinstance(stopped.report, Panel):
                raise
            columns.append(PanelColumn(models[0], record(stopped.report)))
        raise Interrupted(panel_of(columns, versions(JUDGED))) from None
    if first is not None and all(isinstance(column.found, Unmeasured) for column in columns):
        raise first
    return panel_of(columns, versions(JUDGED))


def _bare(error: InputError) -> InputError:
    """An error without the frames that it came through, which would keep a model open."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


@dataclass
class _OfMany:
    """Progress over all models: of those to come as much work is expected as of the one at work."""

    progress: Progress
    models: int
    number: int = 0
    done: int = 0

    def of(self, label: str) -> Progress:
        """Progress of the next model."""
        before, place, left = self.done, self.number + 1, self.models - self.number
        self.number = place

        def told(done: int, total: int, what: str) -> None:
            self.done = before + done
            self.progress(self.done, before + total * left, f"{label} ({place} of {self.models}), {what}")

        return told
