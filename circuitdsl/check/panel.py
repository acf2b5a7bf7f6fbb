"""Many models one after the other: each is opened, checked and closed before the next, and what was found is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from circuitdsl.check.interrupted import Interrupted
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError, RunError
from circuitdsl.models.listing import ListedModel
from circuitdsl.outcome import Report
from circuitdsl.outcome.drift import Recorded
from circuitdsl.outcome.panel import Panel, PanelColumn, Unmeasured, panel_of
from circuitdsl.version import JUDGED, versions


@dataclass(frozen=True)
class Column:
    """A column of a panel; ``error`` is why it has no figures, as it is to be raised where no model has any."""

    found: PanelColumn
    error: InputError | None = None

    @classmethod
    def of(cls, model: ListedModel, error: InputError) -> Column:
        return cls(PanelColumn(model, Unmeasured(error.message, error.remedy, error.exit_code)), _bare(error))


def check_panel(
    models: Sequence[ListedModel],
    check: Callable[[ListedModel, Progress], Report],
    record: Callable[[Report], Recorded],
    progress: Progress,
) -> Panel:
    """A panel of some models, at least one, one after the other.

    ``check`` opens a model, checks everything on it and keeps nothing of it; of its report what ``record`` says is
    kept. Raises as :func:`gathered` does; an interrupt in the first model has what is known of it.
    """
    return gathered(models, _one_by_one(models, check, record, _OfMany(progress, len(models))))


def gathered(models: Sequence[ListedModel], columns: Iterable[Column]) -> Panel:
    """The panel of some models, whose columns come in any order.

    What cannot be opened or run is an error of its column. Raises InputError if all models are such, Interrupted with
    the panel of the models that were done by then, and RunError, with their number, where no more can be run.
    """
    found: dict[str, Column] = {}

    def panel() -> Panel:
        done = [found[model.label].found for model in models if model.label in found]
        return panel_of(done, versions(JUDGED))

    try:
        for column in columns:
            found[column.found.label] = column
    except KeyboardInterrupt:
        if not found:
            raise
        raise Interrupted(panel()) from None
    except RunError as error:
        done = f"{len(found)} of {len(models)} models were done by then"
        raise RunError(f"{error.message}; {done}", error.remedy) from error
    errors = [found[model.label].error for model in models]
    if all(errors) and errors[0] is not None:
        raise errors[0]
    return panel()


def _one_by_one(
    models: Sequence[ListedModel],
    check: Callable[[ListedModel, Progress], Report],
    record: Callable[[Report], Recorded],
    followed: _OfMany,
) -> Iterator[Column]:
    for model in models:
        try:
            report = check(model, followed.of(model.label))
            column = Column(PanelColumn(model, record(report), report.cost, report.seconds))
            del report
        except InputError as error:
            column = Column.of(model, error)
        except Interrupted as stopped:
            if model is models[0] and not isinstance(stopped.report, Panel):
                yield Column(PanelColumn(model, record(stopped.report)))
            raise KeyboardInterrupt from None
        # A model is full of references in circles: its memory is free when these are collected, and not before.
        gc.collect()
        yield column


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
