"""Arguments that make no sense, of the functions of ``cd.tasks``, ``cd.models`` and ``cd.exchange``: an InputError."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import circuitdsl as cd
from circuitdsl import exchange, models, tasks
from circuitdsl.components import ALL, Embed, Head, Node
from circuitdsl.errors import InputError
from circuitdsl.exchange import Graph, GraphEdge
from circuitdsl.language.methods import MOST_PROMPTS, MOST_SEED
from circuitdsl.models import Opening, light_tokenizer
from circuitdsl.tasks import TaskRef
from circuitdsl.tasks.checking import MOST_DRAWN

IOI = TaskRef("ioi")
MINI = light_tokenizer("mini")
SHAPE = models.geometry_of("mini")
GRAPH = Graph(SHAPE, (GraphEdge(Node(Embed(), ALL), Node(Head(0, 1), ALL), "v", score=0.75),))
HEADING = exchange.Heading("found", "mini", "ioi")
FEATURES = Path(__file__).parents[2] / "specs" / "features" / "mini" / "attn1"


class Odd:
    """What no argument can be."""


def task(name: Any = "ioi", arguments: Any = (), folder: Any = ".") -> TaskRef:
    return TaskRef(name, arguments, folder)


ENOUGH: dict[tuple[ModuleType, str], dict[str, object]] = {
    (tasks, "describe"): {"ref": IOI},
    (tasks, "draw"): {"ref": IOI, "tokenizer": MINI, "count": 2, "seed": 0, "bos": False},
    (tasks, "draw_all"): {"ref": TaskRef("brackets"), "tokenizer": MINI, "seed": 0, "bos": False},
    (tasks, "examine"): {"ref": IOI, "tokenizer": MINI, "bos": False},
    (tasks, "example_file"): {},
    (tasks, "files_of"): {"ref": IOI},
    (tasks, "open_task"): {"ref": IOI},
    (tasks, "open_usable"): {"ref": IOI},
    (tasks, "task_names"): {},
    (exchange, "above"): {"graph": GRAPH, "threshold": 0.5, "by": "signed"},
    (exchange, "areas"): {"faithfulness": dict.fromkeys(exchange.BUDGETS, 1.0)},
    (exchange, "at_budgets"): {"graph": GRAPH, "by": "signed"},
    (exchange, "of_circuit"): {"circuit": None},
    (exchange, "read"): {"path": "my.json", "geometry": SHAPE, "name": "eap"},
    (exchange, "renamed"): {"graph": GRAPH, "positions": {}},
    (exchange, "to_spec"): {"graph": GRAPH, "heading": HEADING, "environment": cd.environment(), "positions": {}},
    (exchange, "top"): {"graph": GRAPH, "count": 1, "by": "signed"},
    (exchange, "top_share"): {"graph": GRAPH, "share": 0.5, "by": "signed"},
    (exchange, "unsaid"): {"circuit": None},
    (exchange, "write"): {"graph": GRAPH, "name": "eap"},
    (models, "add_model"): {"name": "mini", "progress": print},
    (models, "describe_dictionary"): {"path": FEATURES, "folder": "."},
    (models, "device_of"): {"opening": Opening()},
    (models, "geometry_of"): {"name": "mini", "revision": "main"},
    (models, "light_tokenizer"): {"name": "mini", "revision": "main"},
    (models, "model_names"): {},
    (models, "named_in"): {"name": "mini", "folder": "."},
    (models, "open_dictionary"): {"dictionary": None},
    (models, "open_model"): {"model": "mini", "processing": "none", "opening": Opening()},
    (models, "require_downloaded"): {"name": "mini", "revision": "main"},
    (models, "require_unhooked"): {"bridge": None},
    (models, "state_of"): {"name": "mini", "revision": "main"},
    (models, "text_of"): {"tokenizer": MINI},
    (models, "tokenizer_of"): {"name": "mini", "revision": "main"},
}
"""Of every function all of its arguments."""

ARGUMENTS = [
    (module, function, name)
    for (module, function), given in ENOUGH.items()
    for name in given
    if function != "text_of"  # which has an answer for anything
]

SENSELESS: dict[str, tuple[object, ...]] = {
    "ref": (
        *(None, "ioi", TaskRef, task(3), task(["ioi"]), task("ioi", 5), task("ioi", "ab"), task("ioi", ((1, 2),))),
        *(task("ioi", (("a", None),)), task("ioi", (("a", True),)), task("ioi", ((1, 2, 3),)), task(folder=3)),
        *(task("induction", (("length", each),)) for each in (10**9, float("nan"), float("inf"))),
    ),
    "tokenizer": (None, "mini", b"mini", 3, type(MINI)),
    "count": (None, -1, 2.5, float("nan"), float("inf"), "20", True, 10**9, 10**5000),
    "seed": (None, -1, 2.5, float("nan"), "0", True, 10**5000),
    "bos": (None, "no", 1, float("nan")),
    "name": (None, 3, b"mini"),
    "folder": (None, 3, b"specs"),
    "path": (None, 3, b"specs"),
    "revision": (3, b"main"),
    "model": (None, 3, b"mini"),
    "processing": (None, "given", "folded", 1),
    "opening": (None, "cpu", Opening),
    "dictionary": (None, "features", 3),
    "bridge": (None, "mini", 3),
    "graph": (None, "eap", 3),
    "circuit": (None, "mine.circuit", 3),
    "geometry": (None, "gpt2", 3),
    "heading": (None, "mine", 3),
    "environment": (None, "gpt2", 3),
    "positions": ("S1", 3, {"S1": 1}),
    "faithfulness": (None, 3, {0.001: "all"}, {}),
    "threshold": (None, "0.5", float("nan")),
    "share": (None, "50%", 0, 2.0, float("nan")),
    "by": (None, "size", 3),
    "progress": (3, "print"),
}
"""By the name of an argument: values that it cannot have."""


@pytest.mark.parametrize(
    ("module", "function", "argument"), ARGUMENTS, ids=[f"{m.__name__}.{f}-{argument}" for m, f, argument in ARGUMENTS]
)
def test_an_argument_of_a_module_that_makes_no_sense(module: ModuleType, function: str, argument: str):
    right = ENOUGH[module, function]
    for value in (Odd(), [Odd()], *SENSELESS[argument]):
        if function == "files_of" and isinstance(value, TaskRef) and value.name == "induction":
            continue  # it reads no files, whatever its length
        with pytest.raises(InputError) as error:
            getattr(module, function)(**right | {argument: value})
        assert error.value.remedy and "could not be drawn" not in error.value.message


@pytest.mark.parametrize("argument", ["device", "revision", "dtype"])
def test_an_opening_of_what_makes_no_sense(argument: str):
    for value in (Odd(), [Odd()], 3, b"cpu"):
        with pytest.raises(InputError, match=r"is given by its name|is a branch") as error:
            Opening(**{argument: cast(Any, value)})
        assert error.value.remedy


def test_what_is_no_tokenizer_has_no_text():
    assert [models.text_of(value) for value in (Odd(), [Odd()], *SENSELESS["tokenizer"])] == [None] * 7


@pytest.mark.parametrize("field", ["name", "model", "task", "folder"])
def test_a_heading_of_what_makes_no_sense(field: str):
    for value in (Odd(), [Odd()], 3, None, b"ioi"):
        with pytest.raises(InputError) as error:
            replace(HEADING, **{field: cast(Any, value)})
        assert error.value.remedy


def test_a_task_by_its_name_alone_is_told_what_to_write():
    with pytest.raises(InputError, match=r"`ref` has to be a TaskRef.*not 'ioi'") as error:
        cd.tasks.describe(cast(Any, "ioi"))
    assert 'TaskRef("ioi")' in error.value.remedy


def test_unusual_arguments_of_modules_that_make_sense(tmp_path: Path):
    numbers: Any = (np.int64(3), np.uint8(1), np.bool_(False))
    assert tasks.draw(IOI, MINI, *numbers) == tasks.draw(IOI, MINI, 3, 1, False)
    assert tasks.draw(IOI, MINI, 0, 0, False).prompts == ()
    shots = task("colored_objects", [("shots", np.int64(0))])
    assert tasks.describe(shots) == tasks.describe(task("colored_objects", (("shots", 0),)))
    (tmp_path / "my.jsonl").write_text(tasks.example_file(), encoding="utf-8")
    assert tasks.files_of(task("file", (("", "my.jsonl"),), tmp_path)) == (tmp_path / "my.jsonl",)
    (tmp_path / "my.json").write_bytes(exchange.write(GRAPH, "eap").data)
    read = exchange.read(tmp_path / "my.json", SHAPE, "eap")
    assert exchange.top(read, cast(Any, np.int64(1)), "absolute") == exchange.top(read, 1, "absolute")
    assert exchange.areas({budget: cast(Any, np.float32(1)) for budget in exchange.BUDGETS}).cmd == 0
    mini = Path("mini")
    assert models.geometry_of(mini) == models.geometry_of("mini")
    assert models.named_in(mini, tmp_path) == "mini"
    assert models.state_of(mini) == models.state_of("mini", None)
    assert models.light_tokenizer(mini).kept == MINI.kept
    assert models.describe_dictionary(FEATURES.name, FEATURES.parent) == models.describe_dictionary(FEATURES)


def test_as_many_prompts_can_be_drawn_as_are_measured():
    with pytest.raises(InputError, match=f"up to {MOST_DRAWN:,}"):
        tasks.draw(IOI, MINI, MOST_DRAWN + 1, 0, False)
    assert MOST_DRAWN >= 2 * MOST_PROMPTS
    assert tasks.draw(IOI, MINI, 1, 8 * MOST_SEED, False).prompts  # as seeds of shams are


def test_every_function_of_the_modules_is_tried():
    public = {
        (m, name) for m in (tasks, models, exchange) for name in m.__all__ if inspect.isfunction(getattr(m, name))
    }
    assert public == set(ENOUGH)
    for (module, function), given in ENOUGH.items():
        assert list(inspect.signature(getattr(module, function)).parameters) == list(given)
