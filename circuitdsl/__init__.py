"""circuitdsl: write down what a circuit inside a transformer does, and find out whether it is true.

import circuitdsl as cd

document = cd.load("specs/mini/ioi.circuit")
print(cd.show(cd.plan(document)))
report = cd.check(document)
report.to_dict()
"""

from typing import TYPE_CHECKING

from circuitdsl.api import (
    changes,
    check,
    compare,
    compare_function,
    diff,
    environment,
    explain,
    format,
    lint,
    load,
    plan,
    show,
    watch,
)
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from circuitdsl.check.workbench import Workbench
    from circuitdsl.engine.store import Store

__all__ = [
    "InputError",
    "Store",
    "Workbench",
    "changes",
    "check",
    "compare",
    "compare_function",
    "diff",
    "environment",
    "explain",
    "format",
    "lint",
    "load",
    "plan",
    "show",
    "watch",
]


def __getattr__(name: str) -> object:
    """The classes that need torch, loaded when they are first asked for."""
    if name == "Workbench":
        from circuitdsl.check.workbench import Workbench

        return Workbench
    if name == "Store":
        from circuitdsl.engine.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
