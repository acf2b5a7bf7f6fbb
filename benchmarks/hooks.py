"""Hooks of TransformerLens as people write them by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

Hook = Callable[[Tensor, Any], Tensor]
Hooks = list[tuple[str, Hook]]


def catching(names: Iterable[str], found: dict[str, Tensor]) -> Hooks:
    """Hooks that put what passes into ``found``."""

    def catch(name: str) -> Hook:
        def keep(x: Tensor, hook: Any) -> Tensor:
            found[name] = x.clone()
            return x

        return keep

    return [(name, catch(name)) for name in names]
