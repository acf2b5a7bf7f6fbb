"""What specifications are read against: the models, tasks and measurements that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl import tasks
from circuitdsl.api.arguments import checked
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.environment import Environment, TaskRef
from circuitdsl.measures.registry import measure_infos
from circuitdsl.models import describe_dictionary, geometry_of, named_in, open_model, require_downloaded

if TYPE_CHECKING:
    from circuitdsl.components import Geometry
    from circuitdsl.models.given import AnyModel


@checked
def environment(model: AnyModel | None = None, revision: str | None = None) -> Environment:
    """The models, tasks and measurements that this installation knows.

    ``model`` stands in for whatever model a specification names; models are of ``revision``. A task is opened once: for
    a file that has changed since, ask for another environment. Raises InputError for a ``model`` that is no name, no
    folder and no model.
    """
    return _environment(model, revision, tasks.open_task)


def tolerant_environment(model: AnyModel | None = None, revision: str | None = None) -> Environment:
    """An environment in which a file of prompts is what of it can be used; the rest is found when it is read."""
    return _environment(model, revision, tasks.open_usable)


def _environment(
    model: AnyModel | None, revision: str | None, open_task: Callable[[TaskRef], tasks.Task]
) -> Environment:
    opened = cache(open_task)  # to open one may read a file and all that can be asked of it
    return Environment(
        geometry=_geometry(model, revision),
        task=lambda task: opened(task).info,
        measures=measure_infos(),
        model=named_in,
        dictionary=describe_dictionary,
        layouts=lambda task: opened(task).layouts(),
    )


def _geometry(model: AnyModel | None, revision: str | None) -> Callable[[str], Geometry]:
    """The shape of a model by its name, or that of ``model`` whatever the name is."""
    if model is None:
        return lambda name: geometry_of(name, revision)
    if isinstance(model, str | Path):
        return lambda name: geometry_of(str(model), revision)
    shape = open_model(model).geometry
    return lambda name: shape


def shapes_of(model: AnyModel, revision: str | None) -> tuple[Environment, str]:
    """The environment in which a model has the shape that it has, also one that is open already, and its name."""
    if isinstance(model, str | Path):
        return environment(revision=revision), str(model)
    opened = open_model(model)
    return replace(environment(), geometry=lambda name: opened.geometry), opened.name


def tokenizers_of(model: AnyModel | None, revision: str | None) -> tuple[str | None, Callable[[str], Any]]:
    """The name of ``model``, None where it is not given, and the tokenizer of a model by its name: that of ``model``,
    whatever the name is, where it is open."""
    from circuitdsl.models.reading import local_tokenizer  # here, since most specifications name no file

    if model is None or isinstance(model, str | Path):
        return None if model is None else str(model), lambda name: local_tokenizer(name, revision)
    opened = open_model(model)
    return opened.name, lambda name: opened.tokenizer


def require_shapes(circuits: Iterable[Circuit], model: AnyModel | None, revision: str | None) -> None:
    """Refuse a revision by whose shape circuits cannot have been resolved, as those who open no model must.

    Raises InputError.
    """
    if revision is not None and (model is None or isinstance(model, str | Path)):
        for name in dict.fromkeys(str(model or circuit.model) for circuit in circuits):
            require_downloaded(name, revision)
