"""The fast engine: the same readings as the plain one, with the worlds of a batch sharing what they have in common.

1. ``weights`` reads the model into a ``Network`` of ``architecture``, and tests that both compute the same.
2. ``engine`` hands over what it does not cover (``coverage``) to the plain engine, and puts prompts into batches.
3. ``required`` says which activations worlds need of the runs that they share; ``caches`` makes those runs, and
   ``run_cache`` keeps them for the next call, each activation as ``cached`` at the tokens that are required.
4. ``worlds`` turns each world into ``edits`` of what passes ``hook_points``.
5. ``work`` groups worlds that run over the same ``region`` of tokens, and runs as many side by side as ``memory``
   allows: ``full_pass`` computes everything after an edit again, ``frozen_pass`` is the first half of path patching;
   ``attending`` and ``dictionaries`` are what both have of heads and of features.
6. ``readers`` reads the logits, and ``answers`` collects readings and failures.

``cost`` estimates all of that, and ``peak`` the memory that it takes at most. This file, which registers the engine,
``coverage``, ``hook_points``, ``outside``, ``cost`` and ``peak`` need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitdsl.engine.base import Engine, EngineInfo, Tick
from circuitdsl.engine.fast.cost import FastCost
from circuitdsl.engine.fast.coverage import declined
from circuitdsl.engine.fast.peak import peak

if TYPE_CHECKING:
    from circuitdsl.models import Model


def _open(model: Model, tick: Tick, memory: int) -> Engine:
    from circuitdsl.engine.fast.engine import engine_for

    return engine_for(model, tick, memory)


_ABOUT = "worlds side by side, only what they change computed again"

FAST = EngineInfo("fast", _ABOUT, FastCost(), _open, peak, declined)
