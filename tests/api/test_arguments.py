"""Arguments of Python's functions that make no sense: an InputError with a remedy, before any model is opened."""

from __future__ import annotations

from typing import Any

import pytest

import circuitdsl as cd
from circuitdsl.errors import InputError
from circuitdsl.models import ModelError

TEXT = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 6 }\n  expect logit_diff >= 0\n}\n"


@pytest.fixture
def document(tmp_path):
    (tmp_path / "my.circuit").write_text(TEXT)
    return cd.load(tmp_path / "my.circuit")


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
