"""circuitdsl: write down what a circuit inside a transformer does, and find out whether it is true.

import circuitdsl as cd

document = cd.load("specs/mini/ioi.circuit")
print(cd.show(cd.plan(document)))
report = cd.check(document)
report.to_dict()
"""

from importlib import import_module
from typing import TYPE_CHECKING

from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from circuitdsl import api as api
    from circuitdsl import exchange as exchange
    from circuitdsl import models as models
    from circuitdsl import tasks as tasks
    from circuitdsl.api import (
        atlas,
        attribute,
        changes,
        check,
        compare,
        compare_function,
        diff,
        draft,
        drift,
        environment,
        explain,
        fix_text,
        format,
        lint,
        lint_text,
        load,
        measure_atlas,
        measure_graphs,
        panel,
        plan,
        plan_draft,
        plan_sweep,
        refine,
        show,
        sweep,
        watch,
    )
    from circuitdsl.check.workbench import Workbench
    from circuitdsl.engine.store import Store

__all__ = [
    "InputError",
    "Store",
    "Workbench",
    "atlas",
    "attribute",
    "changes",
    "check",
    "compare",
    "compare_function",
    "diff",
    "draft",
    "drift",
    "environment",
    "explain",
    "fix_text",
    "format",
    "lint",
    "lint_text",
    "load",
    "measure_atlas",
    "measure_graphs",
    "panel",
    "plan",
    "plan_draft",
    "plan_sweep",
    "refine",
    "show",
    "sweep",
    "watch",
]

_MODULES = ("api", "exchange", "models", "tasks")
_CLASSES = {"Store": "circuitdsl.engine.store", "Workbench": "circuitdsl.check.workbench"}

# These packages are named like functions. Python writes a package into the one around it when it is first imported, and
# never again: it is done here and taken back, so that the name is the function's, whatever is imported later.
for _name in ("check", "compare", "draft", "plan"):
    import_module(f"circuitdsl.{_name}")
    del globals()[_name]
del _name


def __getattr__(name: str) -> object:
    """All of ``__all__`` and a few modules, loaded when they are first asked for: ``import circuitdsl`` is light."""
    if name in _MODULES:
        return import_module(f"circuitdsl.{name}")
    if name in __all__:
        return getattr(import_module(_CLASSES.get(name, "circuitdsl.api")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *__all__})
