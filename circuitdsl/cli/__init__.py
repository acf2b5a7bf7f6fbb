"""The command line, one file a group of commands: arguments in, one call of the API, a text out.

Python has all of it: ``circuitdsl.api``, and ``circuitdsl.models`` and ``circuitdsl.tasks`` for what their commands
list, add and show. The modules are imported for the commands that they add to the application, in the
order in which the help lists them. What a command does is loaded when it is called: through ``import circuitdsl as
cd``, whose names are, and else inside its function. Help waits for none of it.
"""

from circuitdsl.cli import check, plan, lint, show, diff, explain, models, tasks  # noqa: F401  # isort: skip
from circuitdsl.cli.app import main

__all__ = ["main"]
