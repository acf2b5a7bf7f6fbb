"""A sweep as it is written -> a circuit without roles, and the terms that are measured of one sender after another.

A sweep names a task and terms of the language, ``effect(heads at S2 -> 9.6.q at END)``, in which ``heads`` and ``mlps``
stand for all that the model has, and ``a1.*`` for all features of a dictionary that is given. It is read as a
specification that says the same, so that it has the same words, the same settings and the same errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from circuitdsl.components import Geometry
from circuitdsl.errors import InputError
from circuitdsl.language import tree
from circuitdsl.language.circuit import Circuit, Term
from circuitdsl.language.environment import Environment, MeasureInfo
from circuitdsl.language.format import quoted
from circuitdsl.language.methods import SETTINGS
from circuitdsl.language.parse import parse_tolerantly
from circuitdsl.language.resolve import Loaded, resolve_source
from circuitdsl.language.source import Source, Span, normalised

NAME = "sweep"
"""What messages call the text of a sweep, and its circuit."""

_OF_CIRCUITS = ("positions", "members", "errors", "vary")  # settings that say how a circuit's claims are judged
SWEEP_SETTINGS = tuple(setting.name for setting in SETTINGS if setting.name not in _OF_CIRCUITS)
"""The settings of a method that a sweep has."""


@dataclass(frozen=True)
class Sweep:
    """What is swept: ``circuit`` has the model, the task and the method, and no role and no claim.

    ``terms`` are measured for each of their senders alone. ``loaded`` has what is suspicious in how they are written.
    """

    circuit: Circuit
    terms: tuple[Term, ...]
    loaded: Loaded


@dataclass(frozen=True)
class _Line:
    """A part of the specification that a sweep is read as, on lines of its own; ``given`` by the user or ours."""

    text: str
    given: bool = False


def read_sweep(
    task: str,
    terms: Sequence[str],
    model: str,
    settings: Mapping[str, str],
    environment: Environment,
    dictionaries: Sequence[str] = (),
) -> Sweep:
    """The sweep of a task by these terms; by none, every head and MLP of the model into the logits.

    ``task`` is written as in a specification, or is the name of a file of prompts that ends in ``.jsonl``. A term
    without a measurement, ``heads -> logits``, is an effect. ``settings`` are written as in a ``method`` block,
    ``dictionaries`` as in a circuit, without the word: ``a1 at attn_out 1 from "folder"``. Raises
    SpecError for what the language does not allow, InputError for terms and settings that no sweep has, UnknownName for
    a model that is not known.
    """
    _check_settings(settings)
    _check_ends(terms)
    geometry = environment.geometry(model)
    written = tuple(dict.fromkeys(terms)) or (default_term(geometry),)
    lines = tuple(_lines(task, written, model, settings, geometry, dictionaries))
    source = Source(NAME, "\n".join(line.text for line in lines))
    _check_alone(lines, source)
    loaded = resolve_source(source, environment)
    (circuit,) = loaded.document.circuits
    found = tuple(claim.term for claim in circuit.claims)
    for term in found:
        _check_senders(term, environment.measures)
    if circuit.method.prompts_all:
        raise InputError("a sweep is measured on a sample of prompts", "write a number: 200")
    if circuit.method.prompts_first != circuit.method.prompts_most and "prompts" in settings:
        raise InputError("a sweep is measured on one number of prompts", "write one: 200")
    method = replace(circuit.method, prompts_most=circuit.method.prompts_first)
    return Sweep(replace(circuit, method=method, roles=(), claims=()), found, loaded)


def default_term(geometry: Geometry) -> str:
    """Everything that can send to the logits."""
    senders = "{ heads mlps }" if geometry.d_mlp else "heads"
    return f"effect({senders} at END -> logits)"


def _lines(
    task: str,
    terms: Iterable[str],
    model: str,
    settings: Mapping[str, str],
    geometry: Geometry,
    dictionaries: Iterable[str],
) -> Iterator[_Line]:
    """A specification; what the user wrote stands on lines of its own, which are all that messages show."""
    yield _Line(f"circuit {NAME} {{ model {quoted(model)} task")
    yield _Line(f"file({quoted(task)})" if task.endswith(".jsonl") else normalised(task), given=True)
    for dictionary in dictionaries:
        yield from (_Line("dictionary"), _Line(normalised(dictionary), given=True))
    yield _Line("method { members none")
    for name, value in settings.items():
        yield from (_Line(name), _Line(normalised(value), given=True))
    yield _Line("}")
    yield _Line(f"role heads {{ {' '.join(f'{layer}.*' for layer in range(geometry.n_layers))} }}")
    if geometry.d_mlp:
        yield _Line(f"role mlps {{ mlp 0 .. {geometry.n_layers - 1} }}")
    for term in map(normalised, terms):
        yield from (_Line("expect"), _Line(term if "(" in term else f"effect({term})", given=True), _Line("> 0"))
    yield _Line("}")


def _check_alone(lines: Iterable[_Line], source: Source) -> None:
    """Refuse further statements in what was given: they would become terms and settings, and nobody told."""
    begin = {place.line for place in _statements(source)}
    first = 1
    for line in lines:
        after = first + line.text.count("\n") + 1
        if line.given and not begin.isdisjoint(range(first, after)):
            one = "write one task, one declaration of a dictionary, one value or one measurement in each argument"
            raise InputError(f"`{line.text}` has a statement more", one)
        first = after


def _statements(source: Source) -> Iterator[Span]:
    """Where blocks, the statements of circuits and the settings of methods stand."""
    file, _ = parse_tolerantly(source)  # resolving tells of errors
    for block in file.blocks:
        yield block.span
        for statement in block.body if isinstance(block, tree.Circuit) else ():
            yield statement.span
            if isinstance(statement, tree.Method):
                yield from (setting.span for setting in statement.settings)


def _check_settings(settings: Mapping[str, str]) -> None:
    for name in settings:
        if name not in SWEEP_SETTINGS:
            raise InputError(f"a sweep has no setting {name}", f"settings: {', '.join(SWEEP_SETTINGS)}")


def _check_ends(terms: Iterable[str]) -> None:
    """Refuse what follows a measurement: a sweep has no bounds of its own."""
    for term in terms:
        if "(" in term and not term.rstrip().endswith(")"):
            example = "effect(heads at S2 -> logits)"
            raise InputError(f"`{term}` does not end with its parenthesis", f"write a measurement alone: {example}")


def _check_senders(term: Term, measures: Mapping[str, MeasureInfo]) -> None:
    """Refuse what cannot be measured of one sender after another."""
    if not has_senders(measures[term.measure]):
        swept = ", ".join(name for name, info in measures.items() if has_senders(info))
        raise InputError(f"{term.measure} is no figure of one sender", f"a sweep measures one of: {swept}")


def has_senders(info: MeasureInfo) -> bool:
    """Whether a measurement is of heads or a path, and needs no circuit around them."""
    kinds = [parameter.kind for parameter in info.parameters[:1]]
    return "circuit" in info.places and not info.of_whole and kinds in (["heads"], ["path"])
