"""A model that a test leaves changed is an error of that test, and of none after it."""

from __future__ import annotations

import pytest
import torch

from circuitdsl.language.circuit import Method
from circuitdsl.models import Model, Opening, open_model
from opened_once import OpenedOnce


def unhooked(model: Model) -> None:
    """What a test may do to it."""
    with model.bridge.hooks([("blocks.0.hook_resid_pre", lambda value, hook: value)]):
        pass


def hooked(model: Model) -> None:
    model.bridge.add_hook("blocks.0.hook_resid_pre", lambda value, hook: value)


def scaled(model: Model) -> None:
    with torch.no_grad():
        next(iter(model.bridge.parameters())).mul_(2)


@pytest.mark.parametrize("change", [hooked, scaled])
def test_a_model_that_is_left_changed_is_an_error_once(change):
    models = OpenedOnce(open_model)
    how = ("planted-ioi", Method().processing, Opening())
    model = models.open(*how)
    unhooked(model)
    models.require_unchanged()
    assert models.open(*how) is model
    change(model)
    with pytest.raises(AssertionError, match="left changed: planted-ioi"):
        models.require_unchanged()
    assert models.open(*how) is not model
    models.require_unchanged()
