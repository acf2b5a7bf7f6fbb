"""Where models are opened and results are kept, as the arguments of a call say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitdsl.models import Opening

if TYPE_CHECKING:
    from circuitdsl.check.workbench import Workbench
    from circuitdsl.engine.store import Store
    from circuitdsl.models.given import AnyModel


def workbench(
    model: AnyModel | None,
    store: Store | bool,
    engine: str,
    memory: int,
    opening: Opening,
    screen: str | None,
    executor: str | None,
) -> Workbench:
    from circuitdsl.check.workbench import Workbench  # here, so that planning and linting never load torch
    from circuitdsl.engine import store as stores
    from circuitdsl.engine.cluster.executor import Executor

    cluster = None if executor is None else Executor.named(executor)
    kept = stores.usual_store() if store is True else store or None
    return Workbench(model, kept, engine, int(memory), opening, screen or "", cluster)
