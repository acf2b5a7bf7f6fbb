"""Models that ship or are planted, opened once for all checks of a test process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from circuitdsl.models import Model, ModelError, require_unhooked
from circuitdsl.models.folders import SHIPPED
from circuitdsl.models.planted.plans import PLANTED


class OpenedOnce:
    """Opens a model that is named for the first time in a thread, and gives it whenever it is named there again.

    A check changes nothing of a model: that one was changed is an error of the test that did it.
    """

    def __init__(self, opens: Callable[..., Model]):
        self.opens = opens
        self.opened: dict[Any, tuple[Model, list[tuple[int, int]]]] = {}
        self.used: set[Any] = set()
        """Those that are looked at, until someone takes them out."""

    def open(self, model: Any, *how: Any) -> Model:
        if not isinstance(model, str) or model not in {**SHIPPED, **PLANTED}:
            return self.opens(model, *how)
        key = (threading.get_ident(), model, *how)
        if key not in self.opened:
            made = self.opens(model, *how)
            self.opened[key] = made, _state(made)
        self.used.add(key)
        return self.opened[key][0]

    def require_unchanged(self) -> None:
        """Fail if one of those in use is not what it was when it was opened. It is let go."""
        changed = [key for key in list(self.used) if not _as_it_was(*self.opened[key])]
        self.used.difference_update(changed)
        for key in changed:
            del self.opened[key]
        assert not changed, f"models were left changed: {', '.join(str(name) for _, name, *_ in changed)}"


def _state(model: Model) -> list[tuple[int, int]]:
    tensors = (*model.bridge.parameters(), *model.bridge.buffers())
    return [(tensor.data_ptr(), tensor._version) for tensor in tensors]


def _as_it_was(model: Model, before: list[tuple[int, int]]) -> bool:
    try:
        require_unhooked(model.bridge)
    except ModelError:
        return False
    return _state(model) == before
