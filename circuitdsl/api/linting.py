"""What is wrong or suspicious in specifications, what of it can be corrected, and their one format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl import tasks
from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import require_shapes, tokenizers_of, tolerant_environment
from circuitdsl.api.reading import Findings, file_name, found_files
from circuitdsl.errors import InputError
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.language.format import format_source
from circuitdsl.language.resolve import Linted, lint_files, lint_source
from circuitdsl.language.source import Source, normalised

if TYPE_CHECKING:
    from circuitdsl.language.fixes import Fixed
    from circuitdsl.models.given import AnyModel


@checked
def lint(*paths: str | os.PathLike[str], model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """All that is wrong or suspicious in spec files; those that have nothing to do with each other are read apart.

    Files of prompts are read line by line with the tokenizer of the model, whose weights are not; they may also be
    among ``paths`` (``my.jsonl``), with a ``model``. Raises InputError for a ``revision`` by whose shape nothing can be
    read, since it is not on this machine, and for files of prompts without a model.
    """
    files = list(map(file_name, paths))
    prompts = [Path(file) for file in files if file.endswith(".jsonl")]
    found = lint_files(
        found_files(file for file in files if Path(file) not in prompts), tolerant_environment(model, revision)
    )
    specified = with_prompts_read(found, model, revision)
    return Findings((*specified, *_of_prompts(prompts, model, revision)), specified.sources)


def _of_prompts(paths: Sequence[Path], model: AnyModel | None, revision: str | None) -> Iterator[Diagnostic]:
    if not paths:
        return
    if model is None:
        raise InputError(f"it is not said whose tokenizer reads {paths[0]}", "name the model: --model gpt2")
    from circuitdsl.models.reading import read_file

    name, tokenizer_of = tokenizers_of(model, revision)
    tokenizer = tokenizer_of(name or "")
    for path in paths:
        yield from read_file(path, tokenizer)


@checked
def lint_text(text: str, name: str, model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """As :func:`lint`, of a text as if it were the file ``name``, from whose folder other files count. Raises as
    that does."""
    found = lint_source(Source(name, normalised(text)), tolerant_environment(model, revision))
    return with_prompts_read(found, model, revision)


def with_prompts_read(found: Linted, model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """What was found in specifications, and what is wrong with the files of prompts that they name."""
    circuits = (*found.document.circuits, *found.document.used)
    if not found.wrong:
        require_shapes(circuits, model, revision)
    reading = [circuit for circuit in circuits if any(map(tasks.files_of, circuit.tasks))]
    if not reading:
        return Findings(found.diagnostics, found.sources)
    from circuitdsl.models.reading import read_prompts

    of_prompts = read_prompts(reading, *tokenizers_of(model, revision))
    return Findings((*found.diagnostics, *of_prompts), found.sources)


@checked
def fix_text(text: str, name: str = "text", model: AnyModel | None = None, revision: str | None = None) -> Fixed:
    """A specification with all corrected that can be corrected in one way only; ``name`` as for :func:`lint_text`.

    What cannot be corrected stays as it is, and is no error.

    >>> fix_text("circuit c { model mini task ioi expect accuracy >= 95 }").text
    'circuit c { model mini task ioi expect accuracy >= 95% }'
    """
    from circuitdsl.language.fixes import fixed

    return fixed(text, name, tolerant_environment(model, revision))


@checked
def format(text: str, name: str = "text") -> str:
    """A specification in its one format, comments kept. ``name`` is what errors call it. Raises SpecError."""
    return format_source(text, name)
