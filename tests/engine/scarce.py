"""A machine that runs out of memory where it is told to."""

from __future__ import annotations

import pytest
import torch

from circuitdsl.engine.fast.full_pass import FullPass


def leave_room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a pass of more than three worlds is out of memory."""
    run = FullPass.run

    def small(full: FullPass, *rest):
        if len(full.worlds) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(full, *rest)

    monkeypatch.setattr(FullPass, "run", small)
