"""A list of models: names, folders and revisions, each perhaps with the training step that it is of. No torch.

A line names a model, and says more about it in words with an equals sign::

    mini                                     # as it ships; what follows a sign # is a remark
    build/mini/step250                       # a folder, counted from the list's own or from the working folder
    pythia-160m@step3000                     # a revision of a model of the hub
    runs/a7   step=40000   label="run a7"    # the step where the name does not say it, and what it is called

The step of what ends in ``step`` and a number is that number.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from circuitdsl.errors import InputError
from circuitdsl.models.folders import is_own_folder, named_in
from circuitdsl.models.geometry import geometry_of
from circuitdsl.models.hub import require_revisions
from circuitdsl.models.model import ModelError

_SHOWN = 5  # models that a message names

_STEP = re.compile(r"(?:^|[^a-zA-Z])step[-_]?(\d+)/?$")


@dataclass(frozen=True)
class ListedModel:
    """A model by its name or folder, of ``revision`` if that is not None; ``label`` is what a table calls it."""

    name: str
    revision: str | None = None
    label: str = ""
    step: float | None = None


def listed(written: str | Path) -> ListedModel:
    """What a name, a folder or ``name@revision`` stands for, with the step that it ends in.

    >>> listed("pythia-160m@step3000")
    ListedModel(name='pythia-160m', revision='step3000', label='pythia-160m@step3000', step=3000.0)
    """
    text = str(written)
    name, at, revision = text.rpartition("@")
    called = ListedModel(name, revision) if at and name and revision and not is_own_folder(text) else ListedModel(text)
    return replace(called, label=text, step=_step_of(text))


def of_revisions(name: str, revisions: Iterable[str]) -> tuple[ListedModel, ...]:
    """Revisions of one model, which are what a table calls them. Raises :class:`ModelError` for one that is empty."""
    found = tuple(ListedModel(name, each, each, _step_of(each)) for each in revisions)
    if any(not model.revision for model in found):
        raise ModelError("a revision has no name", "write them with commas between them: step1000,step3000")
    return told_apart(found, "the revisions")


def told_apart(models: Sequence[ListedModel], where: str) -> tuple[ListedModel, ...]:
    """Models that are called by different labels, at least one. Raises :class:`ModelError`."""
    if not models:
        raise ModelError(f"{where} name no model", "name a model, a folder or name@revision on each line")
    label, times = Counter(model.label for model in models).most_common(1)[0]
    if times > 1:
        raise ModelError(f"{where} call {times} models {label}", 'name each once, or tell them apart: label="..."')
    return tuple(models)


def require_known(models: Sequence[ListedModel]) -> None:
    """Refuse models of which nothing is known here, all of them at once, before any is opened.

    Raises :class:`ModelError`. What is wrong with files or the hub is seen where a model is opened.
    """
    wrong: list[str] = []
    remedies: list[str] = []
    for model in models:
        try:
            if model.revision is not None:
                require_revisions(model.name)
            geometry_of(model.name, model.revision)
        except InputError as error:
            wrong.append(error.message)
            remedies.append(error.remedy)
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        said = f"{len(wrong)} of {len(models)} models cannot be had: " if len(models) > 1 else ""
        raise ModelError(said + "; ".join(wrong[:_SHOWN]) + more, remedies[0])


def read_listing(path: str | Path) -> tuple[ListedModel, ...]:
    """The models of a file. Raises :class:`ModelError` with the place of what is wrong."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelError(
            f"cannot read the list of models {file}: {reason}", "name a file of one model a line"
        ) from error
    return told_apart(tuple(_models(text, file)), str(file))


def _models(text: str, file: Path) -> Iterator[ListedModel]:
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{file}, line {number}"
        try:
            words = shlex.split(_without_remark(line))
        except ValueError as error:  # a quotation without its end
            raise ModelError(f"{place}: {str(error).lower()}", "close the quotation") from error
        if words:
            yield _model(words, place, str(file.parent))


def _without_remark(line: str) -> str:
    """A line up to a sign # at its beginning or after white space, outside quotations."""
    quotation = ""
    for place, sign in enumerate(line):
        if quotation:
            quotation = "" if sign == quotation else quotation
        elif sign in "\"'":
            quotation = sign
        elif sign == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place]
    return line


def _model(words: Sequence[str], place: str, folder: str) -> ListedModel:
    written, *more = words
    found, beside = listed(written), named_in(written, folder)
    if is_own_folder(beside):  # also where an @ stands in its name
        found = ListedModel(beside, label=written, step=found.step)
    else:
        found = replace(found, name=named_in(found.name, folder))
    for word in more:
        key, equals, value = word.partition("=")
        if key == "label" and value:
            found = replace(found, label=value)
        elif key == "step" and value:
            found = replace(found, step=_number(value, place))
        else:
            problem = f"`{word}` says nothing that is known" if equals else f"`{word}` follows the model's name"
            raise ModelError(f"{place}: {problem}", "write one model a line: NAME [step=250] [label=...]")
    return found


def _number(written: str, place: str) -> float:
    try:
        step = float(written)
    except ValueError:
        step = math.nan
    if not math.isfinite(step):
        raise ModelError(f"{place}: step={written} is no number", "write it as step=250")
    return step


def _step_of(text: str) -> float | None:
    found = _STEP.search(text)
    return float(found[1]) if found and len(found[1]) < 16 else None
