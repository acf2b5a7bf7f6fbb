"""Arguments of Python's functions that make no sense: an InputError with a remedy, before any model is opened."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import circuitdsl as cd
from circuitdsl import api
from circuitdsl.components import ALL, Head, Node
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.models import ModelError

TEXT_FILE = "my.circuit"
TEXT = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 6 }\n  expect logit_diff >= 0\n}\n"


@pytest.fixture
def document(tmp_path):
    (tmp_path / TEXT_FILE).write_text(TEXT)
    return cd.load(tmp_path / TEXT_FILE)


@pytest.mark.parametrize("prompts", [0, 1, -5, 2.5, "20", True, [20], 10**8])
def test_numbers_of_prompts(document, prompts: Any):
    with pytest.raises(InputError, match="2 or more") as error:
        cd.check(document, prompts=prompts)
    assert error.value.remedy
    with pytest.raises(InputError, match="2 or more"):
        cd.compare_function(*document.circuits, *document.circuits, prompts=prompts)


@pytest.mark.parametrize("model", [0, 3.5, ["mini"], object, TEXT.encode()])
def test_what_is_no_model(document, model: Any):
    with pytest.raises(InputError, match="a model is given by its name, its folder, as a Tr") as error:
        cd.check(document, model=model)
    assert error.value.remedy


def test_hooks_that_come_between_two_checks(document):
    from circuitdsl.check.workbench import Workbench
    from circuitdsl.models import open_model
    from circuitdsl.plan.plan import make_plan

    bridge = open_model("mini").bridge
    bench = Workbench(bridge)
    assert bench.check(make_plan(document, False)).summary["error"] == 0
    bridge.add_hook("blocks.3.attn.hook_z", lambda activation, hook: 0 * activation)
    with pytest.raises(ModelError, match="hooks left on the model"):
        bench.check(make_plan(document, False))


def test_numbers_and_names_as_numpy_has_them(document):
    plan = cd.plan(api.with_prompts(document, cast(Any, np.int64(6))), memory=cast(Any, np.int64(10**9)))
    assert json.loads(json.dumps(plan.to_dict()))
    assert cd.plan_draft("ioi", against=cast(Any, np.array(["abc"]))).prompts


class Place(os.PathLike[str]):
    """A path of another kind."""

    def __init__(self, path: Path):
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_unusual_arguments_that_make_sense(document, tmp_path):
    place = Place(tmp_path / TEXT_FILE)
    assert cd.load(place).circuits and cd.plan(place, unexplained=False).prompts
    assert not cd.lint(place) and cd.compare(place, place)
    assert cd.panel([place], cast(Any, np.array(["mini"])), unexplained=False)["mini"].claims
    assert cd.plan(document, unexplained=cast(Any, np.bool_(False))).asked == cd.plan(document, unexplained=False).asked
    assert cd.explain(None) == cd.explain("") == cd.explain()
    assert cd.plan_draft("ioi", against=(name for name in ["abc"])).prompts
    report = cd.check(document, unexplained=False, store=cast(Any, None), screen=cast(Any, None))
    assert report.summary["error"] == 0


@pytest.mark.parametrize("read", [cd.load, cd.lint, cd.plan, lambda file: cd.compare(file, file)])
def test_what_no_file_can_be_called(read: Callable[[str], object]):
    with pytest.raises(InputError, match="is no name of a file"):
        read("\ud800.circuit")


def test_a_number_without_end_is_told_by_its_kind(document):
    with pytest.raises(InputError, match="not an int"):
        cd.plan(document, memory=-(10**5000))
    with pytest.raises(InputError, match="an int prompts"):
        cd.check(document, prompts=10**5000)


def test_a_call_that_no_function_takes_is_told_by_its_name():
    for wrong, said in (({}, "missing 1 required"), ({"document": TEXT_FILE, "promts": 4}, "unexpected keyword")):
        with pytest.raises(TypeError, match=rf"check\(\) .*{said}"):
            cast(Any, cd.check)(**wrong)
    with pytest.raises(InputError, match="not a pathlib"):
        cd.check(TEXT_FILE, device=cast(Any, Path("cpu")))


# --- every argument of every function -------------------------------------------------------------------


class Odd:
    """What no argument can be."""


EDGE = cd.exchange.Graph(
    cd.environment().geometry("mini"), (cd.exchange.GraphEdge(Node(Head(3, 0), ALL), receiver=None),)
)

ENOUGH: dict[str, Callable[[Circuit], tuple[object, ...]]] = {
    "atlas": lambda c: (c, replace(c, name="d"), replace(c, name="e")),
    "attribute": lambda c: (c,),
    "changes": lambda c: (c, c),
    "check": lambda c: (TEXT_FILE,),
    "compare": lambda c: (c, c),
    "compare_function": lambda c: (c, c),
    "diff": lambda c: (c, c),
    "draft": lambda c: ("ioi",),
    "drift": lambda c: ("old.json", "new.json"),
    "environment": lambda c: (),
    "explain": lambda c: (),
    "fix_text": lambda c: (TEXT,),
    "format": lambda c: (TEXT,),
    "lint": lambda c: (TEXT_FILE,),
    "lint_text": lambda c: (TEXT, "name"),
    "load": lambda c: (TEXT_FILE,),
    "measure_atlas": lambda c: (c, replace(c, name="d"), replace(c, name="e")),
    "measure_graphs": lambda c: ("ioi", EDGE),
    "panel": lambda c: (TEXT_FILE, ["mini"]),
    "plan": lambda c: (TEXT_FILE,),
    "plan_draft": lambda c: ("ioi",),
    "plan_sweep": lambda c: ("ioi", "heads at S2 -> logits"),
    "refine": lambda c: (TEXT_FILE,),
    "show": lambda c: (c,),
    "sweep": lambda c: ("ioi", "heads at S2 -> logits"),
    "watch": lambda c: (TEXT_FILE,),
}
"""Of every function arguments that suffice, by a circuit."""


def _functions() -> list[str]:
    return [name for name in cd.__all__ if not isinstance(getattr(cd, name), type)]


def _called_with(name: str, circuit: Circuit, argument: str, value: object) -> object:
    """What a function returns where one argument is this value and the others are right."""
    parameters = inspect.signature(getattr(cd, name)).parameters
    given = list(ENOUGH[name](circuit))
    kind, place = parameters[argument].kind, list(parameters).index(argument)
    if kind is inspect.Parameter.VAR_KEYWORD:
        found = getattr(cd, name)(*given, metric=value)
    elif kind is not inspect.Parameter.KEYWORD_ONLY and place < len(given):
        given[place] = value
        found = getattr(cd, name)(*given)
    else:
        found = getattr(cd, name)(*given, **{argument: value})
    return next(found) if isinstance(found, Iterator) else found


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, argument) for name in _functions() for argument in inspect.signature(getattr(cd, name)).parameters],
)
def test_an_argument_that_makes_no_sense(document, tmp_path, monkeypatch, name: str, argument: str):
    monkeypatch.chdir(tmp_path)
    for value in (Odd(), [Odd()]):
        with pytest.raises(InputError) as error:
            _called_with(name, document.circuits[0], argument, value)
        assert error.value.remedy or isinstance(error.value, SpecError)  # which has a remedy of each of its mistakes


@pytest.mark.parametrize("argument", ["model", "store", "engine", "memory", "opening", "screen", "executor"])
def test_a_workbench_of_what_makes_no_sense(document, argument: str):
    for value in (Odd(), [Odd()]):
        with pytest.raises(InputError) as error:
            cd.Workbench(**{argument: cast(Any, value)}).check(cd.plan(document, unexplained=False))
        assert error.value.remedy


@pytest.mark.parametrize("method", ["check", "sweep", "compare"])
def test_a_workbench_carries_out_plans(document, method: str):
    work = getattr(cd.Workbench(), method)
    for wrong in (Odd(), None, TEXT_FILE, document):
        with pytest.raises(InputError, match="a workbench carries out a") as error:
            work(wrong)
        assert error.value.remedy
    with pytest.raises(InputError):
        cd.Workbench().sweep(cd.plan(document, unexplained=False))
    with pytest.raises(InputError, match="told of the work"):
        cd.Workbench().check(cd.plan(document, unexplained=False), cast(Any, 3))


def test_every_function_is_tried():
    assert set(_functions()) == set(ENOUGH)
