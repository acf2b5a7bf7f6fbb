"""The engine itself, in a file of its own, for it needs torch."""

from __future__ import annotations

from circuitdsl.engine.plain.engine import PlainEngine


class Frugal(PlainEngine):
    """Runs one hooked forward pass for each experiment and each few prompts."""

    name = "frugal"
