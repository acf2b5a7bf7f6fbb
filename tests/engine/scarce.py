"""A machine that runs out of memory where it is told to."""

from __future__ import annotations

import pytest
import torch

from circuitdsl.engine.fast.live import Stack


def leave_room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a stack of more than three worlds is out of memory."""
    run = Stack.run

    def small(stack: Stack, *rest):
        if len(stack.worlds) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(stack, *rest)

    monkeypatch.setattr(Stack, "run", small)
