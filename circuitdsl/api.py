"""What the package does, for Python; the command line is these functions with arguments.

Wrong input raises ``errors.InputError`` with a remedy; ``language.diagnostics.SpecError`` is the one of specifications.

What only some functions need (plans, comparisons, models at work) is imported inside them: reading a specification
takes half the time without.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from circuitdsl import tasks
from circuitdsl.check.progress import Progress
from circuitdsl.check.watched import Watched
from circuitdsl.compare.versions import changes
from circuitdsl.errors import InputError, run_errors
from circuitdsl.language.circuit import Circuit, Comparison, Document
from circuitdsl.language.comparisons import read_align
from circuitdsl.language.diagnostics import Diagnostic, SpecError, render_all
from circuitdsl.language.environment import Environment, TaskRef
from circuitdsl.language.format import format_source
from circuitdsl.language.methods import MOST_PROMPTS
from circuitdsl.language.resolve import (
    Linted,
    Loaded,
    lint_files,
    lint_source,
    load_with_warnings,
    resolve_source,
)
from circuitdsl.language.source import Source, normalised
from circuitdsl.language.sweep import Sweep, read_sweep
from circuitdsl.library import file_and_name, find_spec
from circuitdsl.measures.comparisons import KINDS, Kind
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.measures.registry import measure_infos
from circuitdsl.models import Opening, describe_dictionary, geometry_of, named_in, open_model, require_downloaded
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuitdsl.check.workbench import Workbench
    from circuitdsl.compare.structure import Structure
    from circuitdsl.components import Geometry
    from circuitdsl.engine.store import Store
    from circuitdsl.language.fixes import Fixed
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.models.listing import ListedModel
    from circuitdsl.outcome import (
        Atlas,
        AtlasFunction,
        AttributionReport,
        CircuitDiff,
        DraftReport,
        Drift,
        FunctionalComparison,
        Panel,
        RefinementReport,
        Report,
        SweepReport,
    )
    from circuitdsl.outcome.drift import Recorded
    from circuitdsl.plan.plan import Plan
    from circuitdsl.report.output import View
    from circuitdsl.report.showing import Showable

Align = Iterable[tuple[str, str]]
"""Roles that are each other's counterparts, (of the left circuit, of the right one)."""

__all__ = [
    "atlas",
    "attribute",
    "changes",
    "check",
    "compare",
    "compare_function",
    "diff",
    "draft",
    "drift",
    "environment",
    "explain",
    "fix_text",
    "format",
    "lint",
    "lint_text",
    "load",
    "measure_atlas",
    "panel",
    "plan",
    "plan_draft",
    "plan_sweep",
    "refine",
    "show",
    "sweep",
    "watch",
]


# --- specifications ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Findings(Sequence[Diagnostic]):
    """What is wrong or suspicious in specifications, in the order of the files and their lines, with their texts."""

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @overload
    def __getitem__(self, index: int) -> Diagnostic: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Diagnostic, ...]: ...

    def __getitem__(self, index: int | slice) -> Diagnostic | tuple[Diagnostic, ...]:
        return self.diagnostics[index]

    def __len__(self) -> int:
        return len(self.diagnostics)

    def render(self, color: bool = False) -> str:
        """All of it as text for a person, with a last line that counts it; "" if there is nothing."""
        return render_all(self.diagnostics, self.sources, color)


def environment(model: AnyModel | None = None, revision: str | None = None) -> Environment:
    """The models, tasks and measurements that this installation knows.

    ``model`` stands in for whatever model a specification names; models are of ``revision``. A task is opened once: for
    a file that has changed since, ask for another environment. Raises InputError for a ``model`` that is no name, no
    folder and no model.
    """
    return _environment(model, revision, tasks.open_task)


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


def load(
    *paths: str | Path,
    text: str | None = None,
    model: AnyModel | None = None,
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> Document:
    """Read and resolve spec files together, or one ``text``, against ``model`` in place of the models that they name
    if it is given.

    Files that ship are found by name (``mini/ioi``); files that a text names count from the working folder. The shape
    of a model of the hub is that of its ``revision``. ``warned`` is told of what is suspicious, if anything is. Raises
    SpecError with all that is wrong, and InputError for both files and a text, or neither.
    """
    if (text is None) == (not paths):
        raise InputError("load takes files, or a text", 'write load("my.circuit") or load(text="circuit ...")')
    known = environment(model, revision)
    if text is None:
        loaded = load_with_warnings(_found(paths), known)
    else:
        loaded = resolve_source(Source("text", normalised(text)), known)
    return _after_warning(loaded, warned)


def lint(*paths: str | Path, model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """All that is wrong or suspicious in spec files; those that have nothing to do with each other are read apart.

    Files of prompts are read line by line with the tokenizer of the model, whose weights are not; they may also be
    among ``paths`` (``my.jsonl``), with a ``model``. Raises InputError for a ``revision`` by whose shape nothing can be
    read, since it is not on this machine, and for files of prompts without a model.
    """
    prompts = [Path(path) for path in paths if str(path).endswith(".jsonl")]
    found = lint_files(
        _found(path for path in paths if Path(path) not in prompts), tolerant_environment(model, revision)
    )
    specified = with_prompts_read(found, model, revision)
    return Findings((*specified, *_of_prompts(prompts, model, revision)), specified.sources)


def _of_prompts(paths: Sequence[Path], model: AnyModel | None, revision: str | None) -> Iterator[Diagnostic]:
    if not paths:
        return
    if model is None:
        raise InputError(f"it is not said whose tokenizer reads {paths[0]}", "name the model: --model gpt2")
    from circuitdsl.models.reading import read_file

    name, tokenizer_of = _tokenizers(model, revision)
    tokenizer = tokenizer_of(name or "")
    for path in paths:
        yield from read_file(path, tokenizer)


def _tokenizers(model: AnyModel | None, revision: str | None) -> tuple[str | None, Callable[[str], Any]]:
    """The name of ``model``, None where it is not given, and the tokenizer of a model by its name: that of ``model``,
    whatever the name is, where it is open."""
    from circuitdsl.models.reading import local_tokenizer  # here, since most specifications name no file

    if model is None or isinstance(model, str | Path):
        return None if model is None else str(model), lambda name: local_tokenizer(name, revision)
    opened = open_model(model)
    return opened.name, lambda name: opened.tokenizer


def lint_text(text: str, name: str, model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """As :func:`lint`, of a text as if it were the file ``name``, from whose folder other files count."""
    found = lint_source(Source(name, normalised(text)), tolerant_environment(model, revision))
    return with_prompts_read(found, model, revision)


def fix_text(text: str, name: str = "text", model: AnyModel | None = None, revision: str | None = None) -> Fixed:
    """A specification with all corrected that can be corrected in one way only; ``name`` as for :func:`lint_text`.

    >>> fix_text("circuit c { model mini task ioi expect accuracy >= 95 }").text
    'circuit c { model mini task ioi expect accuracy >= 95% }'
    """
    from circuitdsl.language.fixes import fixed

    return fixed(text, name, tolerant_environment(model, revision))


def tolerant_environment(model: AnyModel | None = None, revision: str | None = None) -> Environment:
    """An environment in which a file of prompts is what of it can be used; the rest is found when it is read."""
    return _environment(model, revision, tasks.open_usable)


def with_prompts_read(found: Linted, model: AnyModel | None = None, revision: str | None = None) -> Findings:
    """What was found in specifications, and what is wrong with the files of prompts that they name."""
    circuits = (*found.document.circuits, *found.document.used)
    if not found.wrong:
        require_shapes(circuits, model, revision)
    reading = [circuit for circuit in circuits if any(map(tasks.files_of, circuit.tasks))]
    if not reading:
        return Findings(found.diagnostics, found.sources)
    from circuitdsl.models.reading import read_prompts

    of_prompts = read_prompts(reading, *_tokenizers(model, revision))
    return Findings((*found.diagnostics, *of_prompts), found.sources)


def format(text: str, name: str = "text") -> str:
    """A specification in its one format, comments kept. ``name`` is what errors call it. Raises SpecError."""
    return format_source(text, name)


def require_shapes(circuits: Iterable[Circuit], model: AnyModel | None, revision: str | None) -> None:
    """Refuse a revision by whose shape circuits cannot have been resolved, as those who open no model must.

    Raises InputError.
    """
    if revision is not None and (model is None or isinstance(model, str | Path)):
        for name in dict.fromkeys(str(model or circuit.model) for circuit in circuits):
            require_downloaded(name, revision)


def _found(paths: Iterable[str | Path]) -> list[str]:
    return [find_spec(str(path)) for path in paths]


def _document(given: Document | str | Path, model: AnyModel | None, revision: str | None) -> Document:
    """A document as it is, or that of a file, read against the model that it is to be checked on."""
    return load(given, model=model, revision=revision) if isinstance(given, str | Path) else given


AnyCircuit = Circuit | str | Path
"""A circuit, or the file that holds one: "mini/ioi"; "my.circuit:name" where it holds several."""


def _circuit(
    given: AnyCircuit, function: str, what: str, model: AnyModel | None = None, revision: str | None = None
) -> Circuit:
    """A circuit as it is, or the one of a file, read against the model that it is to be measured on.

    Raises InputError for what is no circuit, SpecError for wrong text.
    """
    if isinstance(given, str | Path):
        from circuitdsl.language.resolve import circuit_named

        path, name = file_and_name(str(given))
        return circuit_named(load(path, model=model, revision=revision), name, path)
    _require(given, Circuit, function, what)
    return given


def _after_warning(loaded: Loaded, warned: Callable[[Findings], None] | None) -> Document:
    if loaded.warnings and warned is not None:
        warned(Findings(loaded.warnings, loaded.sources))
    return loaded.document


# --- checking ----------------------------------------------------------------------------------------


def plan(document: Document | str | Path, unexplained: bool = True, memory: int = 0, examples: bool = False) -> Plan:
    """The distinct experiments of a document or a file, their cost and the most memory that they take. Opens no model.

    ``unexplained`` counts the search for heads that matter and are not listed, ``examples`` single prompts that are
    shown. ``memory`` is as for :func:`check`. Raises InputError for what is no document.

    >>> found = plan("mini/ioi", unexplained=False)
    >>> found.prompts, found.asked > found.distinct
    (90, True)
    """
    from circuitdsl.plan.plan import make_plan

    document = _document(document, None, None)
    _require(document, Document, "plan", "a document or a file")
    return make_plan(document, unexplained, memory, examples)


def check(
    document: Document | str | Path,
    model: AnyModel | None = None,
    prompts: int | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    screen: str = "",
    memory: int = 0,
    examples: bool = False,
    executor: str | None = None,
) -> Report:
    """Judge every claim of a document or a file on the models that it names, or all of them on ``model``.

    ``model`` is a name, a folder, a TransformerBridge, or a causal model of transformers, with its tokenizer as a pair;
    a file is read by its shape, whatever model the file names. ``prompts`` fixes the number of prompts, 2 or more, in
    place of each method's own. ``unexplained`` looks for heads that matter and are not listed. ``store`` is what keeps
    readings between calls: the user's own for True, none for False. ``engine`` is "fast", or "plain" for one hooked
    forward pass an experiment, or another of ``engine.base.engines()``. ``device``, ``revision`` and ``dtype`` say how
    models are opened, see ``models.Opening``. ``screen`` "bf16" looks for unlisted heads in bfloat16 first and measures
    in full all whose effect may reach the floor. ``memory`` is how many bytes stacked runs may take, 0 for a share of
    what is free. ``executor`` "ray" runs experiments on the Ray cluster of RAY_ADDRESS or a new one, and
    "ray://HOST:PORT" on one that is there; figures are the same (docs/scale.md). ``examples`` reads single prompts of
    each circuit, too: those that it serves worst, and where its heads look. ``progress`` is told of the work; in a
    notebook a bar shows it where none is given. Raises InputError for an argument, a model, a task, a device or a
    cluster that cannot be had; an experiment that cannot be run is a claim's verdict, not an exception.
    """
    from circuitdsl.plan.plan import make_plan

    document = _document(document, model, revision)
    _require(document, Document, "check", "a document or a file")
    measured = with_prompts(document, prompts)
    bench = _workbench(model, store, engine, memory, Opening(device, revision, dtype), screen, executor)
    with followed(progress) as told:
        return bench.check(make_plan(measured, unexplained, examples=examples), told)


def panel(
    document: str | Path | Sequence[str | Path],
    models: str | Path | Iterable[str | Path | ListedModel],
    prompts: int | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    dtype: Dtype | None = None,
    screen: str = "",
    memory: int = 0,
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> Panel:
    """Judge every claim of spec files on many models, one after the other: claims by models.

    ``models`` are names, folders and ``name@revision``, or the file that lists them, one a line
    (``models.listing``). One model is open at a time. Names of which nothing is known are refused before any model is
    opened; what cannot be opened or run is an error of its column, and the others are checked. A panel that was cut off
    goes on from what its ``store`` has. Other arguments as for :func:`check`. Raises InputError for a list of models
    that is wrong, for an argument that cannot be had, and where no model can be checked: SpecError where that is since
    the files are wrong.
    """
    from circuitdsl.check.panel import check_panel
    from circuitdsl.models.listing import listed, read_listing, require_known, told_apart
    from circuitdsl.plan.plan import make_plan
    from circuitdsl.report.data.recorded import record

    if isinstance(models, str | Path):
        named = read_listing(models)
    else:
        named = (listed(each) if isinstance(each, str | Path) else each for each in models)
        named = told_apart(tuple(named), "the models")
    require_known(named)
    files = [document] if isinstance(document, str | Path) else document
    told_once = _once(warned)

    def read(model: ListedModel) -> Document:
        found = load(*files, model=model.name, revision=model.revision, warned=told_once)
        require_blocks(found, files)
        return with_prompts(found, prompts)

    def checked(model: ListedModel, told: Progress) -> Report:
        opening = Opening(device, model.revision, dtype)
        bench = _workbench(model.name, store, engine, memory, opening, screen, executor)
        return bench.check(make_plan(read(model), unexplained), told)

    with followed(progress) as told:
        if executor is not None:
            from circuitdsl.check.node import How
            from circuitdsl.check.spread import check_on_nodes

            bench = _workbench(None, store, engine, memory, Opening(device, None, dtype), screen, executor)
            how = How(unexplained, engine, device, dtype, screen, memory, bench.store, record, str(Path.cwd()))
            assert bench.executor is not None
            if (spread := check_on_nodes(bench.executor, named, read, how, told)) is not None:
                return spread
        return check_panel(named, checked, record, told)


def _once(warned: Callable[[Findings], None] | None) -> Callable[[Findings], None]:
    """What is suspicious in files that are read again and again, told once."""
    told: set[tuple[Diagnostic, ...]] = set()

    def tell(findings: Findings) -> None:
        if warned is not None and findings.diagnostics not in told:
            told.add(findings.diagnostics)
            warned(findings)

    return tell


class Checking(TypedDict, total=False):
    """The keyword arguments of :func:`check`, as :func:`watch` takes them."""

    model: str | Path | None
    prompts: int | None
    unexplained: bool
    progress: Progress | None
    store: Store | bool
    engine: str
    device: str | None
    revision: str | None
    dtype: Dtype | None
    screen: str
    memory: int
    examples: bool
    executor: str | None


def watch(
    *paths: str | Path, warned: Callable[[Findings], None] | None = None, **checking: Unpack[Checking]
) -> Iterator[Report | InputError]:
    """Check spec files, and again whenever one of them is saved, without end: a report each time.

    Watched are the files, those that they use, and files of prompts. Models stay open in between. ``warned`` is told of
    what is suspicious, each time. The first check raises as :func:`load` and :func:`check` do; after that wrong input
    is given as the error itself, and the watch goes on.
    """
    files, watched = _found(paths), Watched()
    model, revision, prompts = checking.get("model"), checking.get("revision"), checking.get("prompts")

    def read() -> Document:
        return with_prompts(_load_watched(watched, files, model, revision, warned), prompts)

    document = read()  # before anything loads torch, so that a wrong specification is told at once
    opening = Opening(checking.get("device"), revision, checking.get("dtype"))
    store, engine, memory = checking.get("store", True), checking.get("engine", "fast"), checking.get("memory", 0)
    bench = _workbench(model, store, engine, memory, opening, checking.get("screen", ""), checking.get("executor"))

    def judged(document: Document) -> Report:
        from circuitdsl.plan.plan import make_plan

        made = make_plan(document, checking.get("unexplained", True), examples=checking.get("examples", False))
        with followed(checking.get("progress")) as told:
            return bench.check(made, told)

    yield judged(document)
    while True:
        time.sleep(_PAUSE)
        if watched.changed():
            try:
                found = judged(read())
            except InputError as error:
                found = error
            yield found


_PAUSE = 0.1  # seconds between two looks at the files


def _load_watched(
    watched: Watched,
    paths: Sequence[str],
    model: str | Path | None,
    revision: str | None,
    warned: Callable[[Findings], None] | None,
) -> Document:
    """A document with something to check in it, all of whose files are watched."""
    watched.add(paths)
    try:
        loaded = load_with_warnings(paths, environment(model, revision))
    except SpecError as error:
        watched.add(error.sources)
        raise
    document = loaded.document
    circuits = (*document.circuits, *document.used)
    of_circuits = (task for circuit in circuits for task in circuit.tasks)
    watched.add([*loaded.sources, *(file for task in of_circuits for file in tasks.files_of(task))])
    require_blocks(_after_warning(loaded, warned), paths)
    return document


def require_blocks(document: Document, paths: Iterable[str | Path]) -> None:
    """Refuse a document in which there is nothing to check. Raises InputError."""
    if not (document.circuits or document.comparisons or document.interventions):
        raise InputError(
            f"nothing to check in {', '.join(map(str, paths))}",
            "write a circuit, compare or intervention block; what is only named by `use` is not checked",
        )


def _workbench(
    model: AnyModel | None,
    store: Store | bool,
    engine: str,
    memory: int,
    opening: Opening,
    screen: str,
    executor: str | None,
) -> Workbench:
    from circuitdsl.check.workbench import Workbench  # here, so that planning and linting never load torch
    from circuitdsl.engine import store as stores
    from circuitdsl.engine.cluster.executor import Executor

    cluster = None if executor is None else Executor.named(executor)
    kept = stores.usual_store() if store is True else store or None
    return Workbench(model, kept, engine, memory, opening, screen, cluster)


# --- sweeps ------------------------------------------------------------------------------------------


def plan_sweep(
    task: str | Path,
    *terms: str,
    model: AnyModel = "mini",
    revision: str | None = None,
    dictionaries: Sequence[str] = (),
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> Plan:
    """The experiments of a :func:`sweep` and their cost. Runs nothing. Raises as :func:`sweep` does.

    >>> plan_sweep("ioi", "heads at S2 -> 2.3.v").prompts
    200
    """
    made = _sweep_plan(task, terms, model, revision, dictionaries, warned, settings)
    require_shapes(made.all_circuits, None, revision)
    return made


def sweep(
    task: str | Path,
    *terms: str,
    model: AnyModel = "mini",
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    dictionaries: Sequence[str] = (),
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> SweepReport:
    """Measure senders one by one on a task, with no circuit written.

    ``task`` is written as in a specification, or names a file of prompts (``my.jsonl``). ``terms`` are measurements of
    the language, each measured for every one of its heads or senders alone: ``"effect(heads at S2 -> 9.6.q at END)"``
    or ``"heads at S2 -> 9.6.q at END"``, ``"knockout({ heads mlps })"``, ``"attention(heads, END -> S2)"``. ``heads``
    and ``mlps`` are all that the model has; without terms, all of them at END into the logits. ``dictionaries`` are
    written as in a circuit, ``'a1 at attn_out 1 from "folder"'``, and ``a1.*`` are all features of one: a feature that
    is the same on all prompts and counterfactuals is not measured. ``settings`` are those
    of a ``method`` block, written as there: ``metric="probability"``, ``prompts=100``, ``floor="2%"``. Other arguments
    as for :func:`check`; a sweep that was cut off goes on from what its ``store`` has. Raises SpecError for what the
    language does not allow, InputError for what no sweep can be of and for what cannot be had.
    """
    made = _sweep_plan(task, terms, model, revision, dictionaries, warned, settings)
    bench = _workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    with followed(progress) as told:
        return bench.sweep(made, told)


def _sweep_plan(
    task: str | Path,
    terms: Sequence[str],
    model: AnyModel,
    revision: str | None,
    dictionaries: Sequence[str],
    warned: Callable[[Findings], None] | None,
    settings: Mapping[str, str | int],
) -> Plan:
    from circuitdsl.plan.plan import Plan
    from circuitdsl.plan.sweep import plan_sweep as started_sweep

    return Plan(sweeps=(started_sweep(_read_sweep(task, terms, model, revision, dictionaries, warned, settings)),))


def _read_sweep(
    task: str | Path,
    terms: Sequence[str],
    model: AnyModel,
    revision: str | None,
    dictionaries: Sequence[str],
    warned: Callable[[Findings], None] | None,
    settings: Mapping[str, str | int],
) -> Sweep:
    known, name = _shapes(model, revision)
    written = {each: str(value) for each, value in settings.items()}
    found = read_sweep(str(task), terms, name, written, known, dictionaries)
    _after_warning(found.loaded, warned)
    return found


def _shapes(model: AnyModel, revision: str | None) -> tuple[Environment, str]:
    """The environment in which a model has the shape that it has, also one that is open already, and its name."""
    if isinstance(model, str | Path):
        return environment(revision=revision), str(model)
    opened = open_model(model)
    return replace(environment(), geometry=lambda name: opened.geometry), opened.name


# --- drafts ------------------------------------------------------------------------------------------


def plan_draft(
    task: str | Path,
    *,
    model: AnyModel = "mini",
    mlps: bool = True,
    against: str | Sequence[str] = (),
    revision: str | None = None,
    warned: Callable[[Findings], None] | None = None,
    **settings: str | int,
) -> Plan:
    """The first stage of a :func:`draft` and its cost; what follows depends on what it finds. Raises as that does.
    Without ``against`` the counterfactuals are those that the task's first prompts tell, or the task's own where the
    model's tokenizer is not here.

    >>> plan_draft("ioi").prompts
    200
    """
    from circuitdsl.draft.asked import patched_from
    from circuitdsl.draft.counterfactuals import chosen
    from circuitdsl.draft.search import first_stage
    from circuitdsl.plan.plan import Plan

    found = _read_sweep(task, (), model, revision, (), warned, settings)
    circuit, patched = patched_from(found.circuit, _names(against))
    method, (name, tokenizer_of) = circuit.method, _tokenizers(model, revision)
    if not patched:
        try:
            tokenizer = tokenizer_of(name or "")
        except InputError:  # a model that is not here can be planned for, by what the task itself patches from
            patched = (method.against,)
        else:
            drawn = tasks.draw(circuit.task, tokenizer, method.prompts_first, method.seed, method.bos)
            patched = chosen(method.against, drawn.prompts)
    made = Plan(sweeps=(first_stage(circuit, mlps, patched),))
    require_shapes(made.all_circuits, None, revision)
    return made


def _names(written: str | Sequence[str]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else tuple(written)


def draft(
    task: str | Path,
    *,
    model: AnyModel = "mini",
    output: str | Path | None = None,
    fdr: str | None = None,
    top: str | None = None,
    stages: int = 8,
    mlps: bool = True,
    against: str | Sequence[str] = (),
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

    known, name = _shapes(model, revision)
    written = {each: str(value) for each, value in settings.items()}
    place = None if output is None else Path(output)
    asked = read_draft(str(task), name, fdr, top, stages, mlps, _names(against), place, written, known)
    bench = _workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    with followed(progress) as told:
        return drafted(asked, bench, told, unexplained)


def refine(
    path: str | Path,
    circuit: str = "",
    *,
    model: AnyModel | None = None,
    prompts: int | None = None,
    fdr: str | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> RefinementReport:
    """A specification against its model: what of it does nothing, what it lacks, and its text with that changed.

    ``circuit`` is the name of one of the file where it has several. It is measured as its own method says, on one
    number of ``prompts`` of either half: by itself the first of the method's own. ``fdr`` ("5%") is the share of false
    ones among all of which the same was asked and that entered, on average. ``unexplained`` looks for heads that act
    and that no role lists. Nothing is written. Other arguments as for :func:`check`. Raises SpecError for a file that
    is wrong, InputError for what cannot be had.
    """
    from circuitdsl.draft.refine.asked import read_refinement
    from circuitdsl.draft.refine.refining import refine as refined

    known = environment(model, revision)
    with TemporaryDirectory() as folder:
        (found,) = _found([path])
        asked = read_refinement(found, circuit, fdr, known, Path(folder))
        _after_warning(asked.loaded, warned)
        asked = replace(asked, circuit=with_prompt_count(asked.circuit, prompts))
        if asked.circuit.method.prompts_all:
            raise InputError("a refinement is found on one sample of prompts and judged on another", "--prompts 200")
        bench = _workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
        with followed(progress) as told:
            return refined(asked, bench, told, unexplained)


def attribute(
    circuit: Circuit,
    *,
    model: AnyModel | None = None,
    threshold: float = 0.1,
    both_signs: bool = False,
    prompts: int | None = None,
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
) -> AttributionReport:
    """The features of a circuit's dictionaries to which its metric is attributed, strongest first: to find them.

    One backward pass through the model as a linear graph, in which a feature is kept where its value times its gradient
    exceeds ``threshold``, in units of the metric, on a prompt and at a token; with ``both_signs`` its size
    (hierarchical attribution, Ge et al. 2024). The circuit says the task, the prompts, of which the method's first are
    run unless ``prompts`` says how many, the metric and the dictionaries; its claims have no part in it. Whether a
    feature matters is judged by patching: write it into a claim. Raises InputError for a threshold that is no number
    from 0, for a circuit without dictionaries or with two at one point, for a metric without a gradient or that a
    prompt does not have, for a model that gives NaN or infinity, and for what cannot be had.
    """
    from numbers import Real

    from circuitdsl.draft.attribution import attribute as attributed
    from circuitdsl.draft.hierarchical import Cut

    if not isinstance(threshold, Real) or not threshold >= 0:  # NaN is not, either
        raise InputError(f"the threshold {threshold!r} keeps no feature from another", "write 0 or more: 0.1")
    circuit = with_prompt_count(circuit, prompts)
    with run_errors():
        opened = open_model(model or circuit.model, circuit.method.processing, Opening(device, revision, dtype))
        return attributed(circuit, opened, Cut(threshold, both_signs))


# --- two circuits ------------------------------------------------------------------------------------


def compare(left: AnyCircuit, right: AnyCircuit, align: Align = ()) -> Structure:
    """How far two circuits, or those of two files, are the same description: heads, nodes, roles and edges, against
    chance.

    Roles are counterparts as ``align`` says, else by name, else by the most shared heads. Raises SpecError for roles
    that are not there or are aligned twice.
    """
    from circuitdsl.compare.structure import compare as compared

    left, right = _two("compare", left, right)
    return compared(left, right, _aligned(left, right, align))


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
    bench = _workbench(model, store, engine, memory, opening, "", executor)
    with followed(progress) as told:
        return bench.compare(planned, quoted, told)


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
    return CircuitDiff(left, right, compared, changes(left, right) if same else None, block, functional)


def drift(old: Report | Recorded | str | Path, new: Report | Recorded | str | Path) -> Drift:
    """What changed between two reports of one specification: verdicts, values beyond their intervals, and what figures
    depend on. A report is one of :func:`check`, or the file of its JSON; of a panel it is ``panel[label]``, or
    ``panel.json:label``. Values of the same prompts are compared prompt by prompt.

    Raises InputError for a file that is no report.
    """
    from circuitdsl.outcome.drift import drifted

    return drifted(_recorded(old, "the old report"), _recorded(new, "the new report"))


def _recorded(given: Report | Recorded | str | Path, name: str) -> Recorded:
    from circuitdsl.outcome.drift import Recorded
    from circuitdsl.report.data.recorded import read_report, recorded

    if isinstance(given, Recorded):
        return given
    return read_report(given) if isinstance(given, str | Path) else recorded(given.to_dict(), name)


def _two(
    function: str, left: AnyCircuit, right: AnyCircuit, model: AnyModel | None = None, revision: str | None = None
) -> tuple[Circuit, Circuit]:
    """The two circuits that a function is given, as :func:`_circuit` has each."""
    first, second = (_circuit(each, function, "two circuits or files", model, revision) for each in (left, right))
    return first, second


def _aligned(left: Circuit, right: Circuit, align: Align) -> tuple[tuple[str, str], ...]:
    """Pairs of roles, checked as the ``align`` lines of a compare block are."""
    try:
        written = [f"{ours} ~ {theirs}" for ours, theirs in align]
    except (TypeError, ValueError) as error:
        raise InputError("align takes pairs of roles", 'write it as [("mover", "fetcher")]') from error
    return read_align(written, left, right, "align") if written else ()


# --- any number of circuits --------------------------------------------------------------------------


def atlas(*circuits: AnyCircuit, function: AtlasFunction | None = None) -> Atlas:
    """Three circuits or files or more side by side: what every two share, against chance, and which are alike.

    ``function`` is what :func:`measure_atlas` found of the same circuits. Circuits of one name are told apart by their
    files. Raises InputError for fewer, and for what is no circuit.
    """
    from circuitdsl.compare.atlas import alike_together, notes_on_all, pairs_of
    from circuitdsl.outcome import Atlas

    named = _told_apart("atlas", circuits)
    if function is not None and len(function.performance) != len(named):
        raise InputError("these figures are of other circuits", "give those of measure_atlas on the same circuits")
    pairs = pairs_of(named)
    return Atlas(named, pairs, alike_together(pairs), function, notes_on_all(named))


def measure_atlas(
    *circuits: AnyCircuit,
    model: AnyModel | None = None,
    prompts: int | None = None,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
) -> AtlasFunction:
    """What each of several circuits of one model does for every one's task: kept alone (transfer), and knocked out.

    On another circuit's task its heads stand at all positions. All intervals of a measurement hold together
    (Bonferroni). A file is read by the shape of ``model``. Arguments as for :func:`check`. Raises InputError for
    circuits of several models, and for an argument, a model or a task that cannot be had.
    """
    from circuitdsl.check.atlas import measure_atlas as measured
    from circuitdsl.plan.atlas import plan_atlas

    apart = _told_apart("measure_atlas", circuits, model, revision)
    named = tuple(with_prompt_count(circuit, prompts) for circuit in apart)
    bench = _workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    try:
        planned = plan_atlas(named)
    except CannotMeasure as reason:
        raise InputError(str(reason), "compare their structure only") from reason
    with followed(progress) as told:
        return measured(planned, bench, told)


def _told_apart(
    function: str, given: Sequence[AnyCircuit], model: AnyModel | None = None, revision: str | None = None
) -> tuple[Circuit, ...]:
    """Three circuits or more that a function is given, those that share a name with their files in it."""
    circuits = [_circuit(each, function, "circuits or files", model, revision) for each in given]
    if len(circuits) < 3:
        raise InputError(f"an atlas is of three circuits or more, and here are {len(circuits)}", "compare two by diff")
    names = Counter(circuit.name for circuit in circuits)
    named = [c if names[c.name] == 1 else replace(c, name=f"{c.name} ({c.file})") for c in circuits]
    if len({circuit.name for circuit in named}) < len(named):
        raise InputError("a circuit is given twice", "give each circuit once")
    return tuple(named)


# --- prompts -----------------------------------------------------------------------------------------


def with_prompt_count(circuit: Circuit, prompts: int | None) -> Circuit:
    """The circuit measured on exactly this many prompts, its own number for None. Raises InputError for under 2 and for
    more than a method may say."""
    if prompts is None:
        return circuit
    if not isinstance(prompts, int) or not 2 <= prompts <= MOST_PROMPTS:
        raise InputError(
            f"{prompts} prompts cannot be measured on",
            f"give a whole number of prompts, 2 or more, up to {MOST_PROMPTS:,}",
        )
    method = replace(circuit.method, prompts_first=prompts, prompts_most=prompts, prompts_all=False)
    return replace(circuit, method=method)


def with_prompts(document: Document, prompts: int | None) -> Document:
    """The document with every circuit measured on exactly this many prompts. Raises as :func:`with_prompt_count`."""
    circuits, used = (
        tuple(with_prompt_count(circuit, prompts) for circuit in some) for some in (document.circuits, document.used)
    )
    return replace(document, circuits=circuits, used=used)


# --- for people --------------------------------------------------------------------------------------


def show(what: Showable, form: Literal["text", "svg", "html"] = "text", view: View | None = None) -> str:
    """A circuit, a plan, a report, or two circuits side by side, as a page of text, a picture, or a page of HTML.

    Pictures ("svg") are there of a circuit, a report, a sweep, a ``diff``, an atlas and of the curves of
    ``compare_function``; pages ("html"), one file without a network, of a report, a sweep, a ``diff`` and an atlas.
    ``view`` says how wide the page of text is, whether it has colours, in how much detail; 100 columns without colours
    by itself. Raises InputError where there is no such picture or page, and where what it is made by is not installed.
    """
    if form not in ("text", "svg", "html"):
        raise InputError(f"nothing is shown as {form}", "as text, as svg or as html")
    from circuitdsl.report import showing
    from circuitdsl.report.output import View

    match form:
        case "svg":
            return showing.picture(what)
        case "html":
            from circuitdsl.report.html.page import html

            return html(what)
        case "text":
            return showing.page(what, view or View())


def explain(name: str = "") -> str:
    """What a name means: a measurement, a control, a diagnostic's code, a setting, a task or a model; without one, all
    such names.

    Raises InputError for a name that has no explanation.
    """
    from circuitdsl.report.pages.explain import explanation, overview

    return explanation(name) if name else overview()


def _require(given: object, kind: type, function: str, what: str) -> None:
    if not isinstance(given, kind):
        raise InputError(
            f"{function} takes {what}, not a {type(given).__name__}",
            'read one with load("my.circuit"), which has the circuits of a file as .circuits',
        )
