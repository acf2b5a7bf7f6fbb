"""``swap_attention 0.* at C1 with C3 to BOS``: what heads attend to one token changes places between two others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from circuitdsl.actions.base import Action, Reading, Run, Write, Written
from circuitdsl.actions.swap import between, is_single, token
from circuitdsl.components import Head, Position

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SwapAttention(Action):
    """The shares that ``nodes``, heads at both positions, give to ``key`` in the run at hand, exchanged ``between``
    these.

    Each position is one token. The other shares of either row keep their proportions, and the row adds up to 1.
    """

    between: tuple[Position, Position]
    key: Position

    word = "swap_attention"
    of_pattern = True

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        found = between(written, reading, "swap_attention 0.1 at C1 with C3 to BOS")
        key = reading.position(written.parts[1])
        if found is None or key is None or not is_single(key, written.parts[1].span, reading):
            return None
        nodes, positions = found
        others = [node.component for node in nodes if not isinstance(node.component, Head)]
        if others:
            message = f"`{others[0]}` attends to nothing: it is no head"
            reading.report("C517", message, written.nodes.span, "name heads only")
            return None
        return cls(nodes, positions, key, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        other, key = parts
        return f"with {part_text(other)} to {part_text(key)}"

    @property
    def keys(self) -> tuple[Position, ...]:
        return (self.key,)

    def writes(self, run: Run) -> list[Write]:
        for query in self.between:
            run.require_causal(query, self.key)
        here, there, key = (token(run, position) for position in (*self.between, self.key))
        for position, query in zip(self.between, (here, there), strict=True):
            if bool((query == 0).any()):
                run.refuse(f"{position} is the first token of a prompt, which attends to itself alone")
        swapped = _swapped(here, there, key)
        return [Write(name, mask, swapped) for name, mask in run.patterns(self.nodes).items()]


def _swapped(here: Tensor, there: Tensor, key: Tensor) -> Callable[[Tensor], Tensor]:
    """Patterns [prompts, heads, queries, keys] with a key's shares exchanged between two rows, prompt by prompt."""

    def swap(patterns: Tensor) -> Tensor:
        prompts, new = range(len(patterns)), patterns.clone()
        for row, other in ((here, there), (there, here)):
            shares = patterns[prompts, :, row]
            shares[prompts, :, key] = 0
            given = patterns[prompts, :, other, key][..., None]
            shares = shares * (1 - given) / shares.sum(-1, keepdim=True)
            shares[prompts, :, key] = given[..., 0]
            new[prompts, :, row] = shares
        return new

    return swap
