"""What shells offer after a part of a word: models, tasks, names that can be explained. Files they know themselves."""

from __future__ import annotations

import circuitdsl as cd


def complete_model(start: str) -> list[tuple[str, str]]:
    """Models that ship or can be added, with a line about each."""
    return [(name, about) for name, about in cd.models.model_names() if name.startswith(start)]


def complete_task(start: str) -> list[str]:
    """Tasks by name."""
    return [name for name in cd.tasks.task_names() if name.startswith(start)]


def complete_explained(start: str) -> list[str]:
    """Measurements, settings, codes of diagnostics, tasks and models."""
    from circuitdsl.language.diagnostics import codes
    from circuitdsl.language.methods import SETTINGS

    settings = [setting.name for setting in SETTINGS]
    names = [*cd.environment().measures, *settings, *codes(), *cd.tasks.task_names()]
    return [name for name in dict.fromkeys(names) if name.startswith(start)]
