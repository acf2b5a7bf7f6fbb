"""What the arguments of Python's functions may be, by their names: one means the same in every function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real
from pathlib import Path

from circuitdsl.arguments import Argument, a, checked_by, file, flag, several, text, whole
from circuitdsl.language.circuit import Comparison
from circuitdsl.report.output import View


def _texts(value: object) -> bool:
    return several(value) and isinstance(value, Collection) and all(isinstance(each, str) for each in value)


def _is_store(value: object) -> bool:
    from circuitdsl.engine.store import Store

    return isinstance(value, bool | Store | None)


def _is_graph(value: object) -> bool:
    from circuitdsl.exchange.graph import Graph

    return isinstance(value, Graph)


def _found(kind: str) -> Callable[[object], bool]:
    """Whether a value is a record of what was found, by the name of its class."""

    def is_found(value: object) -> bool:
        from circuitdsl import outcome

        return isinstance(value, getattr(outcome, kind))

    return is_found


ARGUMENTS: Mapping[str, Argument] = {
    # what is read
    "models": Argument("names of models, or the file that lists them", '["mini", "gpt2"]', a(str, Path, Iterable)),
    "paths": file('"my.circuit"'),
    "path": file('"my.circuit"'),
    "text": text("a text", 'text="circuit ..."'),
    "name": text("a text", 'name="ioi"'),
    "task": Argument("a task, or a file of prompts", '"ioi" or "my.jsonl"', a(str, Path)),
    "terms": text("a measurement, as in a specification", '"heads at S2 -> logits"'),
    "dictionaries": Argument(
        "a list of texts, each as in a circuit", """dictionaries=['a1 at attn_out 1 from "folder"']""", _texts
    ),
    "graphs": Argument("a Graph", 'cd.exchange.read("found.json", cd.models.geometry_of("mini"))', _is_graph),
    "align": Argument("pairs of roles", '[("mover", "fetcher")]', several),
    "warned": Argument("a function that is told of findings", "warned=print", callable),
    # where and how it is measured
    "revision": text("a branch, tag or commit of a model of the hub", 'revision="main"'),
    "device": text("the name of a device", 'device="cpu"'),
    "dtype": text("the name of a precision", 'dtype="float32"'),
    "engine": text("the name of an engine", 'engine="fast"'),
    "executor": text("the name of an executor", 'executor="ray"'),
    "screen": Argument("the name of a screen", 'screen="bf16"', a(str, type(None))),
    "memory": Argument("a number of bytes, 0 for a share of what is free", "memory=4 * 10**9", whole(0)),
    "store": Argument("a Store, or True for the user's own, or False for none", "store=False", _is_store),
    "progress": Argument(
        "a function that is told of the work: (done, total, what)", "progress=lambda done, total, what: None", callable
    ),
    # what is asked
    "unexplained": flag("unexplained=False"),
    "examples": flag("examples=True"),
    "mlps": flag("mlps=False"),
    "both_signs": flag("both_signs=True"),
    "against": Argument(
        "the name of a counterfactual, or a list of such",
        'against="all"',
        lambda value: isinstance(value, str) or several(value),
    ),
    "fdr": text("a share, as a text", 'fdr="5%"'),
    "top": text("a share, as a text", 'top="2%"'),
    "stages": Argument("a whole number, 1 or more", "stages=8", whole(1)),
    "output": file('output="my.circuit"'),
    "quoted": Argument("a fraction from 0 to 1", "quoted=0.78", a(Real)),
    "kinds": Argument("a list of names of curves", 'kinds=["knockout"]', several),
    # what was found before
    "function": Argument("what measure_atlas found", "function=measure_atlas(...)", _found("AtlasFunction")),
    "functional": Argument(
        "what compare_function found", "functional=compare_function(...)", _found("FunctionalComparison")
    ),
    "block": Argument("a compare block of a document", "block=document.comparisons[0]", a(Comparison)),
    "view": Argument("a View of circuitdsl.report.output", "view=View(width=80)", a(View)),
}
"""Arguments by their names. Those that are not here are looked at by what they are for."""

checked = checked_by(ARGUMENTS)
"""Every public function is decorated with it."""
