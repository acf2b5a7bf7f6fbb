"""CPU seconds of this process. With one thread they are what the work takes, on a busy machine too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F

from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

Result = TypeVar("Result")

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def timed(action: Callable[[], Result]) -> tuple[float, Result]:
    """What an action took, in CPU seconds, and what it gave."""
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


def forward_time(model: Model, prompts: Sequence[Prompt]) -> float:
    """One plain forward pass of all prompts: the mean of two, or of as many as take a tenth of a second.

    A clock of CPU time can advance in steps longer than one pass of a small model.
    """
    tokens = torch.tensor([prompt.tokens for prompt in prompts])
    done, seconds = 0, 0.0
    with torch.inference_mode():
        model.bridge(tokens)
        while done < 2 or seconds < 0.1:
            seconds += timed(lambda: model.bridge(tokens))[0]
            done += 1
    return seconds / done


def matmul_rate(model: Model) -> float:
    """Floating-point operations a CPU second in an MLP's products of many rows: a second of them, or enough."""
    width, hidden, rows = model.geometry.d_model, model.geometry.d_mlp, 1024
    x, up, down = torch.randn(rows, width), torch.randn(hidden, width), torch.randn(width, hidden)
    done, started = 0, time.process_time()
    while done < 20 and time.process_time() - started < 1:
        F.linear(F.linear(x, up), down)
        done += 1
    return done * 4 * rows * width * hidden / (time.process_time() - started)


def peak_memory(action: Callable[[], Result]) -> tuple[int | None, Result]:
    """The most memory that an action added to this process, in bytes; None where the system (not Linux) keeps quiet."""
    try:
        FORGET.write_text("5", encoding="ascii")  # the peak so far
        before = _status("VmRSS")
    except (OSError, KeyError):
        return None, action()
    result = action()
    return max(0, _status("VmHWM") - before), result


def _status(key: str) -> int:
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(fields[key].split()[0]) << 10
