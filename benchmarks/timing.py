"""What work costs: CPU seconds of this process, or on a GPU the seconds until the card has done it.

With one thread CPU seconds are what the work takes, on a busy machine too. On a GPU what the host does counts as much
as what the card does, so that its clock is the wall's, read when the card has nothing left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F

from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

Result = TypeVar("Result")

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Clock:
    """The clock of work on a device."""

    device: torch.device

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def now(self) -> float:
        """Seconds. On a GPU all that was asked of it is done first."""
        if not self.on_gpu:
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def timed(self, action: Callable[[], Result]) -> tuple[float, Result]:
        """What an action took, in seconds, and what it gave."""
        started = self.now()
        result = action()
        return self.now() - started, result

    def warmed(self, action: Callable[[], Result]) -> tuple[float, Result]:
        """The same; on a GPU of the second time, since kernels are loaded when they are first called."""
        if self.on_gpu:
            action()
        return self.timed(action)

    def peak_memory(self, action: Callable[[], Result]) -> tuple[int | None, Result]:
        """The most memory that an action added, in bytes, on the card or to this process; None where the system (not
        Linux) keeps quiet."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
            before = torch.cuda.memory_allocated(self.device)
            result = action()
            return torch.cuda.max_memory_allocated(self.device) - before, result
        try:
            FORGET.write_text("5", encoding="ascii")  # the peak so far
            before = _status("VmRSS")
        except (OSError, KeyError):
            return None, action()
        result = action()
        return max(0, _status("VmHWM") - before), result


def clock_of(model: Model) -> Clock:
    """The clock of the device that a model is on."""
    return Clock(next(model.bridge.parameters()).device)


def forward_time(model: Model, prompts: Sequence[Prompt]) -> float:
    """One plain forward pass of all prompts: the mean of two, or of as many as take a tenth of a second.

    A clock of CPU time can advance in steps longer than one pass of a small model.
    """
    clock = clock_of(model)
    tokens = torch.tensor([prompt.tokens for prompt in prompts], device=clock.device)
    done, seconds = 0, 0.0
    with torch.inference_mode():
        model.bridge(tokens)
        while done < 2 or seconds < 0.1:
            seconds += clock.timed(lambda: model.bridge(tokens))[0]
            done += 1
    return seconds / done


def matmul_rate(model: Model) -> float:
    """Floating-point operations a second in an MLP's products of many rows: a second of them, or enough."""
    clock = clock_of(model)
    width, hidden, rows = model.geometry.d_model, model.geometry.d_mlp, 16384 if clock.on_gpu else 1024

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=clock.device)

    x, up, down = random(rows, width), random(hidden, width), random(width, hidden)

    def products() -> None:
        F.linear(F.linear(x, up), down)

    done, seconds = 0, 0.0
    clock.warmed(products)
    while done < 20 and seconds < 1:
        seconds += clock.timed(products)[0]
        done += 1
    return done * 4 * rows * width * hidden / seconds


def _status(key: str) -> int:
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(fields[key].split()[0]) << 10
