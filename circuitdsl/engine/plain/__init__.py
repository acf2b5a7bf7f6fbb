"""The plain engine: one hooked forward pass an experiment. It is the oracle that the fast one is compared with.

``engine`` runs experiments, ``writes`` is what it puts into TransformerLens's hook points, ``cost`` counts its passes.
This file, which registers it, and ``cost`` need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitdsl.engine.base import Engine, EngineInfo, Tick
from circuitdsl.engine.plain.cost import PlainCost

if TYPE_CHECKING:
    from circuitdsl.models import Model


def _open(model: Model, tick: Tick, memory: int) -> Engine:
    """It stacks nothing, and so needs no ``memory``."""
    from circuitdsl.engine.plain.engine import PlainEngine

    return PlainEngine(model, tick)


PLAIN = EngineInfo("plain", "one hooked forward pass an experiment", PlainCost(), _open)
