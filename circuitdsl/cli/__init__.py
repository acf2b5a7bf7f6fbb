"""The command line, one file a group of commands: arguments in, one call of the API, a text out.

Python has all of it: ``circuitdsl.api``, and ``circuitdsl.models`` and ``circuitdsl.tasks`` for what their commands
list, add and show. The modules are imported for the commands that they add to the application, in the
order in which the help lists them. A command loads what it needs when it is called: the API by the
names of ``import circuitdsl as cd``, the rest inside its function. Help loads the signatures alone.
"""

from circuitdsl.cli import check, drift, plan, sweep, attribute, draft, lint, show  # noqa: F401  # isort: skip
from circuitdsl.cli import diff, exchange, explain, models, tasks, lsp  # noqa: F401  # isort: skip
from circuitdsl.cli.app import main

__all__ = ["main"]
