"""A model that was given as an object, while a check uses it: one check at a time, and handed back as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from torch.nn import Module
    from typing_extensions import TypeIs


@contextmanager
def borrowed(model: object) -> Iterator[None]:
    """Hold a model in evaluation mode; what was in training mode before is so again afterwards, however it ends.

    Another thread that wants the same model waits: hooks of two checks on one model would be in each other's runs.
    Nothing is done with what is no model, as a name.
    """
    if not _is_module(model):
        yield
        return
    with _turn_of(model):
        training = [part for part in model.modules() if part.training]
        model.eval()
        try:
            yield
        finally:
            for part in training:
                part.training = True


def _is_module(model: object) -> TypeIs[Module]:
    if "torch" not in sys.modules:  # then nobody has made one
        return False
    from torch.nn import Module

    return isinstance(model, Module)


def _turn_of(model: Module) -> RLock:  # pyright: ignore[reportInvalidTypeForm]  # a function in typeshed until 3.13
    with _GUARD:
        return _TURNS.setdefault(model, RLock())


# The one thing that all checks of a process share: whose turn it is on a model that they were given.
_TURNS: WeakKeyDictionary[Module, RLock] = WeakKeyDictionary()  # pyright: ignore[reportInvalidTypeForm]
_GUARD = Lock()
