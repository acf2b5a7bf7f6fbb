"""A pretended second device: tensors that compute on the CPU, call themselves elsewhere and do not mix with others.

torch's rules for a GPU, kept on a machine without one: a tensor made without a device stands on the CPU; the operands
of an operation stand on one device, but for tensors without dimensions, copies, and indices, which may be on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

DEVICE = torch.device("lazy")  # a name that no library treats in a way of its own
aten: Any = torch.ops.aten
COPIES = (aten.copy_.default, aten._to_copy.default)
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)


WAITED: list[str] = []
"""The operations since a test cleared it in which the program would have waited for a GPU to finish all that it was
given: values that come from there, and copies to there that are not queued."""


class Mixed(Exception):
    """An operation got operands of both devices."""


class Elsewhere(Tensor):
    """A tensor on the other device; ``wrapped`` holds its values."""

    wrapped: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=DEVICE
        )
        made.wrapped = inner
        return made

    __torch_function__: Any = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Literals(TorchFunctionMode):
    """What no dispatch sees: torch.tensor(..., device=) is made on the CPU, then moved; lists as indices likewise."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            args = (
                args[0],
                tree_map_only(list, torch.tensor, args[1], is_leaf=lambda x: isinstance(x, list)),
                *args[2:],
            )
        if func is Tensor.tolist:
            args = (args[0].cpu(),)
        device = kwargs.pop("device", None) if func is torch.tensor else None
        made = func(*args, **kwargs)
        return made if device is None else made.to(device)


class TwoDevices(TorchDispatchMode):
    """Operations on tensors of two devices. Raises Mixed where a GPU would refuse."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    given = list(_tensors((*args, *kwargs.values())))
    elsewhere = any(isinstance(tensor, Elsewhere) for tensor in given)
    here = [tensor for tensor in given if not isinstance(tensor, Elsewhere) and tensor.dim()]
    indexes = func in INDEXED and isinstance(args[0], Elsewhere)
    if elsewhere and here and func not in COPIES and not indexes:
        raise Mixed(f"{func} got operands of two devices")
    device = kwargs.get("device")
    if (elsewhere and _leaves(func, device)) or (indexes and here) or (here and _arrives(func, device, kwargs)):
        WAITED.append(str(func))
    if device is not None:
        elsewhere, kwargs = torch.device(device) == DEVICE, {**kwargs, "device": torch.device("cpu")}
    out = func(*_inner(args), **_inner(kwargs))
    if given and out is _inner(given[0]):  # done in place
        return given[0]
    if not elsewhere:
        return out
    return Elsewhere(out) if isinstance(out, Tensor) else tree_map_only(Tensor, Elsewhere, out)


def _leaves(func: Any, device: Any) -> bool:
    back = device is not None and torch.device(device) != DEVICE
    return func in (aten._local_scalar_dense.default, aten.equal.default, aten.nonzero.default) or back


def _arrives(func: Any, device: Any, kwargs: Mapping[str, Any]) -> bool:
    there = device is not None and torch.device(device) == DEVICE
    return func in COPIES and there and not kwargs.get("non_blocking")


@contextmanager
def two_devices() -> Iterator[None]:
    """While it is on, tensors may be made elsewhere, and none of both devices may meet."""
    with Literals(), TwoDevices():
        yield


# Of every operation's operands, which are flat or lists: torch's own walks over trees take far longer.


def _tensors(operands: Iterable[Any]) -> Iterator[Tensor]:
    for operand in operands:
        if isinstance(operand, Tensor):
            yield operand
        elif isinstance(operand, (list, tuple)):
            yield from _tensors(operand)


def _inner(operand: Any) -> Any:
    if isinstance(operand, Elsewhere):
        return operand.wrapped
    if isinstance(operand, dict):
        return {name: _inner(value) for name, value in operand.items()}
    return type(operand)(map(_inner, operand)) if type(operand) in (list, tuple) else operand


def move(bridge: Any) -> Any:
    """The model, moved elsewhere, with the other names under which TransformerLens keeps its weights."""
    moved: dict[int, Elsewhere] = {}

    def there(tensor: Tensor) -> Elsewhere:
        return moved.setdefault(id(tensor), Elsewhere(tensor.detach()))

    for module in bridge.modules():
        for kept in (module._parameters, module._buffers):
            kept.update({name: there(tensor) for name, tensor in kept.items() if tensor is not None})
    for module in bridge.modules():
        names = {name: moved[id(value)] for name, value in vars(module).items() if id(value) in moved}
        vars(module).update(names)
    bridge.cfg.device = DEVICE
    return bridge
