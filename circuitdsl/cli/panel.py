"""What ``circuitdsl check`` does on many models: --models and --revisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import circuitdsl as cd
from circuitdsl.cli.options import Checking, warn
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from circuitdsl.models.listing import ListedModel
    from circuitdsl.outcome import Panel
    from circuitdsl.report.output import View

FORMATS = ("text", "json", "junit")


def models_of(listing: Path | None, model: str | None, revisions: str | None) -> tuple[ListedModel, ...]:
    """The models that --models or --revisions name; none where neither is given. Raises InputError."""
    from circuitdsl.models.listing import of_revisions, read_listing  # not on top: help needs no models

    if listing is not None and (model is not None or revisions is not None):
        raise InputError("--models goes with neither --model nor --revisions", "write name@revision in the list")
    if listing is not None:
        return read_listing(listing)
    if revisions is None:
        return ()
    if model is None:
        raise InputError("it is not said whose revisions these are", "name the model: --model pythia-160m")
    return of_revisions(model, [each.strip() for each in revisions.split(",")])


def need_panel_form(form: str) -> None:
    """Raise InputError for a format that a panel is not written in."""
    if form not in FORMATS:
        raise InputError(f"many models are not written as {form}", f"formats: {', '.join(FORMATS)}")


def check_models(files: Sequence[str], models: Sequence[ListedModel], checking: Checking) -> Panel:
    """Check files on many models, as ``checking`` says of one. Raises as ``cd.panel`` does."""
    return cd.panel(
        files,
        models,
        prompts=checking.get("prompts"),
        unexplained=checking.get("unexplained", True),
        progress=checking.get("progress"),
        store=checking.get("store", True),
        engine=checking.get("engine", "fast"),
        device=checking.get("device"),
        dtype=checking.get("dtype"),
        screen=checking.get("screen", ""),
        memory=checking.get("memory", 0),
        executor=checking.get("executor"),
        warned=warn,
    )


def rendered(panel: Panel, form: str, view: View) -> str:
    """A panel in one of ``FORMATS``."""
    if form == "text":
        return cd.show(panel, view=view)
    if form == "junit":
        from circuitdsl.report.data.panel import panel_to_junit

        return panel_to_junit(panel)
    from circuitdsl.report.data.json import to_json

    return to_json(panel.to_dict())
