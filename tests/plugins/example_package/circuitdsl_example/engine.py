"""An engine: the plain one, a few prompts at a time, to take little memory. It needs no torch until it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitdsl.engine.base import Engine, EngineInfo, Tick
from circuitdsl.engine.plain.cost import PlainCost

if TYPE_CHECKING:
    from circuitdsl.models import Model

TOKENS_A_PASS = 256


def _open(model: Model, tick: Tick, memory: int) -> Engine:
    from .frugal import Frugal

    return Frugal(model, tick, TOKENS_A_PASS)


FRUGAL = EngineInfo("frugal", "the plain engine, a few prompts at a time", PlainCost(), _open)
