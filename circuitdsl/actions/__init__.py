"""What an intervention can do, one file an action. No torch is imported."""

from circuitdsl.actions.ablate import Ablate
from circuitdsl.actions.attend import Attend, Target
from circuitdsl.actions.base import (
    ABLATIONS,
    Ablation,
    Action,
    ByAblation,
    ByCleanRun,
    ByCounterfactual,
    Reading,
    Run,
    Taken,
    Write,
    Written,
)
from circuitdsl.actions.freeze import Freeze
from circuitdsl.actions.patch import Patch
from circuitdsl.actions.registry import actions
from circuitdsl.actions.scale import Scale
from circuitdsl.actions.swap import Swap
from circuitdsl.actions.swap_attention import SwapAttention

__all__ = [
    "ABLATIONS",
    "Ablate",
    "Ablation",
    "Action",
    "Attend",
    "ByAblation",
    "ByCleanRun",
    "ByCounterfactual",
    "Freeze",
    "Patch",
    "Reading",
    "Run",
    "Scale",
    "Swap",
    "SwapAttention",
    "Taken",
    "Target",
    "Write",
    "Written",
    "actions",
]
