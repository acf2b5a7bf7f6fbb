"""The prompts that the engine's tests use."""

from __future__ import annotations

from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data

IOI = Data(TaskRef("ioi"), seed=3, bos=False)
