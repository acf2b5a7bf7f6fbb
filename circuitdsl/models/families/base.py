"""What circuitdsl knows of a family of models besides a model's own configuration. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ALWAYS: Final = "always"
"""The ``parallel`` of a family whose configuration has no say in it."""


@dataclass(frozen=True)
class Family:
    """A family that circuitdsl measures; one is listed only if tests/models/test_families.py passes for it.

    * ``model_type``: its name in a model's ``config.json``; ``about``: one line, for people;
    * ``parallel``: whether the attention and the MLP of a layer read the same residual stream: None if they never do,
      ``ALWAYS``, or the setting of the configuration that says so and is true where it is left out;
    * ``trained_on``: the length in tokens of its training prompts, where the configuration need not name a longest one;
    * ``activation``: the activation function of its MLPs, by TransformerLens's name, where the configuration names none
      (TransformerLens then says relu).
    """

    model_type: str
    about: str
    parallel: str | None = None
    trained_on: int | None = None
    activation: str | None = None

    def is_parallel(self, config: Mapping[str, object]) -> bool:
        """Whether attention and MLP stand side by side in a model with this configuration."""
        match self.parallel:
            case None:
                return False
            case "always":
                return True
            case setting:
                return bool(config.get(setting, True))
