"""What arguments may be. One means the same in every function, so that it is looked at in one place, before any work.

What only the work can tell, as whether a name is known, the work does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import ParamSpec, TypeVar

from circuitdsl.errors import InputError, shown
from circuitdsl.language.circuit import Comparison
from circuitdsl.report.output import View

Taken = ParamSpec("Taken")
Given = TypeVar("Given")


@dataclass(frozen=True)
class Argument:
    """An argument: what it has to be, in words, an example of it, and whether a value is that."""

    what: str
    example: str
    fits: Callable[[object], bool]


def checked(function: Callable[Taken, Given]) -> Callable[Taken, Given]:
    """The function, which raises InputError for an argument that is not what ``ARGUMENTS`` says of its name.

    The default of an argument may always be given.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def asked(*given: Taken.args, **named: Taken.kwargs) -> Given:
        try:
            arguments = signature.bind(*given, **named).arguments
        except TypeError:
            return function(*given, **named)  # which says by its name what it takes
        for name, value in arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                for each in value:
                    _require(name, each)
            elif value is not parameter.default:
                _require(name, value)
        return function(*given, **named)

    return asked


def _require(name: str, value: object) -> None:
    """Raise InputError for a value that is not what ``ARGUMENTS`` says of this name, if it says anything."""
    argument = ARGUMENTS.get(name)
    if argument is not None and not argument.fits(value):
        raise InputError(f"`{name}` has to be {argument.what}, not {shown(value)}", f"write {argument.example}")


def _a(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


def _whole_from(least: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _texts(value: object) -> bool:
    return _several(value) and isinstance(value, Collection) and all(isinstance(each, str) for each in value)


def _is_flag(value: object) -> bool:
    """Whether it is a bool, Python's or NumPy's, which need not be imported for it."""
    return isinstance(value, bool) or (type(value).__module__, type(value).__name__[:4]) == ("numpy", "bool")


def _is_store(value: object) -> bool:
    from circuitdsl.engine.store import Store

    return isinstance(value, bool | Store | None)


def _found(kind: str) -> Callable[[object], bool]:
    """Whether a value is a record of what was found, by the name of its class."""

    def is_found(value: object) -> bool:
        from circuitdsl import outcome

        return isinstance(value, getattr(outcome, kind))

    return is_found


def _text(what: str, example: str) -> Argument:
    return Argument(what, example, _a(str))


def _flag(example: str) -> Argument:
    return Argument("True or False", example, _is_flag)


def _file(example: str) -> Argument:
    return Argument("the name of a file", example, _a(str, PathLike))


ARGUMENTS: Mapping[str, Argument] = {
    # what is read
    "models": Argument("names of models, or the file that lists them", '["mini", "gpt2"]', _a(str, Path, Iterable)),
    "paths": _file('"my.circuit"'),
    "path": _file('"my.circuit"'),
    "text": _text("a text", 'text="circuit ..."'),
    "name": _text("a text", 'name="ioi"'),
    "task": Argument("a task, or a file of prompts", '"ioi" or "my.jsonl"', _a(str, Path)),
    "terms": _text("a measurement, as in a specification", '"heads at S2 -> logits"'),
    "dictionaries": Argument(
        "a list of texts, each as in a circuit", """dictionaries=['a1 at attn_out 1 from "folder"']""", _texts
    ),
    "align": Argument("pairs of roles", '[("mover", "fetcher")]', _several),
    "warned": Argument("a function that is told of findings", "warned=print", callable),
    # where and how it is measured
    "revision": _text("a branch, tag or commit of a model of the hub", 'revision="main"'),
    "device": _text("the name of a device", 'device="cpu"'),
    "dtype": _text("the name of a precision", 'dtype="float32"'),
    "engine": _text("the name of an engine", 'engine="fast"'),
    "executor": _text("the name of an executor", 'executor="ray"'),
    "screen": Argument("the name of a screen", 'screen="bf16"', _a(str, type(None))),
    "memory": Argument("a number of bytes, 0 for a share of what is free", "memory=4 * 10**9", _whole_from(0)),
    "store": Argument("a Store, or True for the user's own, or False for none", "store=False", _is_store),
    "progress": Argument(
        "a function that is told of the work: (done, total, what)", "progress=lambda done, total, what: None", callable
    ),
    # what is asked
    "unexplained": _flag("unexplained=False"),
    "examples": _flag("examples=True"),
    "mlps": _flag("mlps=False"),
    "both_signs": _flag("both_signs=True"),
    "against": Argument(
        "the name of a counterfactual, or a list of such",
        'against="all"',
        lambda value: isinstance(value, str) or _several(value),
    ),
    "fdr": _text("a share, as a text", 'fdr="5%"'),
    "top": _text("a share, as a text", 'top="2%"'),
    "stages": Argument("a whole number, 1 or more", "stages=8", _whole_from(1)),
    "output": _file('output="my.circuit"'),
    "quoted": Argument("a fraction from 0 to 1", "quoted=0.78", _a(Real)),
    "kinds": Argument("a list of names of curves", 'kinds=["knockout"]', _several),
    # what was found before
    "function": Argument("what measure_atlas found", "function=measure_atlas(...)", _found("AtlasFunction")),
    "functional": Argument(
        "what compare_function found", "functional=compare_function(...)", _found("FunctionalComparison")
    ),
    "block": Argument("a compare block of a document", "block=document.comparisons[0]", _a(Comparison)),
    "view": Argument("a View of circuitdsl.report.output", "view=View(width=80)", _a(View)),
}
"""Arguments by their names. Those that are not here are looked at by what they are for."""
