"""How models are opened: on which device, of which revision, in which precision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal, get_args

from circuitdsl.errors import require
from circuitdsl.models.model import ModelError

Dtype = Literal["float32", "bfloat16"]
"""The precision of weights and activations; figures are accumulated in float64 in any case."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)


@dataclass(frozen=True)
class Opening:
    """How models are opened, whichever they are. What cannot be had on this machine cannot be asked for.

    ``device``: "cpu", "cuda", "cuda:1", "mps"; None for the first CUDA GPU if there is one, and else the CPU.
    ``revision``: a branch, tag or commit of a model of the hub; None for its branch main.
    ``dtype``: the precision; None for float32, or whatever a model has that is given as an object.
    Raises :class:`ModelError` for a device that is not there or a precision that no model runs in, and InputError for
    what is no text.
    """

    device: str | None = None
    revision: str | None = None
    dtype: Dtype | None = None

    def __post_init__(self) -> None:
        require(self.device, (str, type(None)), "a device is given by its name", 'write device="cpu"')
        require(self.revision, (str, type(None)), "a revision is a branch, tag or commit", 'write revision="main"')
        require(self.dtype, (str, type(None)), "a precision is given by its name", 'write dtype="float32"')
        if self.device not in (None, _CPU) and self.device not in (there := _devices()):
            raise ModelError(f"there is no device {self.device} here", f"the devices here: {', '.join(there)}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ModelError(f"no model runs in {self.dtype}", f"precisions: {', '.join(DTYPES)}")


def _devices() -> tuple[str, ...]:
    """The names of the devices that torch can use on this machine."""
    import torch

    gpus = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    return ("cpu", *(("cuda", *gpus) if gpus else ()), *(("mps",) if torch.backends.mps.is_available() else ()))


def device_of(opening: Opening) -> str:
    """Where models are opened: on the device asked for, or on TransformerLens's choice."""
    require(opening, Opening, "a device is that of an Opening", 'write device_of(Opening(device="cpu"))')
    if opening.device is not None:
        return opening.device
    if version("torch").endswith("+cpu"):  # built for nothing else: torch itself need not be asked
        return _CPU
    import torch

    if torch.cuda.is_available():
        return "cuda"
    mps = torch.backends.mps
    allowed = os.environ.get("TRANSFORMERLENS_ALLOW_MPS") == "1"  # else TransformerLens leaves it alone
    return "mps" if allowed and mps.is_available() and mps.is_built() else _CPU


_CPU = "cpu"
