"""What was run for a report, by what and where: fields that reports of all kinds have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """What a check took: experiments run, prompts through the model, experiments that the store answered.

    For comparison what was planned, in passes over all prompts and with nothing in the store: ``planned`` for the
    engine at work, ``plain`` for the plain engine, which runs one experiment after the other.
    """

    experiments: int
    prompt_passes: int
    passes: float  # prompt_passes over the prompts of one full pass
    kept: int = 0
    planned: float = 0.0
    plain: float = 0.0

    def to_dict(self) -> dict[str, object]:
        return {
            "experiments": self.experiments,
            "prompt_passes": self.prompt_passes,
            "passes": self.passes,
            "kept": self.kept,
            "planned": self.planned,
            "plain": self.plain,
        }


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Versions of packages, seconds of wall-clock time, the work, and the engine with its precision and its device.

    The defaults are those of a report before its work is known (``check.work.Begun.since``).
    """

    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    cost: Cost = Cost(0, 0, 0.0)
    engine: str = "plain"
    dtype: str = "float32"  # the precision of the models; estimates are accumulated in float64
    device: str = "cpu"  # where the models ran: "cuda:0"

    def ran_dict(self) -> dict[str, object]:
        """The entries of a report's JSON that say what was run."""
        return {
            "versions": dict(self.versions),
            "seconds": round(self.seconds, 3),
            "engine": self.engine,
            "dtype": self.dtype,
            "device": self.device,
            "cost": self.cost.to_dict(),
        }
