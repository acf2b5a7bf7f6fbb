"""Files of tensors, read and written without executing a pickle."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import torch

from circuitdsl.errors import InputError
from circuitdsl.exchange.fields import Field


def load_tensors(data: bytes, name: str) -> object:
    """What a .pt or .pth file holds: tensors, numbers, texts and containers of them (``weights_only``).

    Raises InputError for a file that holds anything else, which could run code, and for one that is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that are refused anyway
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{name} is refused: it is no .pt file, or holds more than tensors, numbers and texts, and could run code "
            "when it is read",
            "save it again with torch.save from a dict of tensors, or export it as JSON or text",
        ) from error
    except Exception as error:  # whatever torch runs into in bytes that are no such file
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{name} cannot be read as a .pt file: {reason}", "save it again with torch.save") from error


def save_tensors(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def matrix(field: Field, shape: tuple[int, ...], boolean: bool = False) -> list[Any]:
    """A tensor of this shape as nested lists of numbers, or of booleans. Raises InputError for any other."""
    found = field.value
    if not isinstance(found, torch.Tensor):
        field.wrong(f"a {type(found).__name__} is no tensor", f"it should be a tensor of shape {list(shape)}")
    if found.layout != torch.strided or found.is_nested or found.is_meta:
        field.wrong("it is a sparse or nested tensor, or one without values", "save a dense one: tensor.to_dense()")
    if tuple(found.shape) != shape:
        field.wrong(f"its shape is {list(found.shape)}", f"this model needs {list(shape)}: name the file's own model")
    if boolean and found.dtype != torch.bool:
        field.wrong(f"its values are {found.dtype}", "it should be a tensor of booleans")
    if not boolean and not found.is_floating_point():
        field.wrong(f"its values are {found.dtype}", "it should be a tensor of floating-point numbers")
    return found.tolist()


def numbers(values: list[Any]) -> torch.Tensor:
    """Numbers as a tensor: of 32 bits where these hold them exactly, as scores of other tools are, else of 64."""
    exact = torch.tensor(values, dtype=torch.float64)
    short = exact.to(torch.float32)
    return short if torch.equal(short.to(torch.float64).nan_to_num(), exact.nan_to_num()) else exact


def booleans(values: list[Any]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool)
