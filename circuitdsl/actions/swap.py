"""``swap pos_embed at C1 with C3``: outputs at two positions change places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from circuitdsl.actions.base import Action, Reading, Run, Write, Written
from circuitdsl.components import ALL, Node, Position

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Swap(Action):
    """The outputs that ``nodes``, each at both positions, have in the run at hand, exchanged ``between`` them.

    Each position is one token.
    """

    between: tuple[Position, Position]

    word = "swap"

    @classmethod
    def read(cls, written: Written, reading: Reading, text: str) -> Self | None:
        found = between(written, reading, "swap pos_embed at C1 with C3")
        if found is None:
            return None
        nodes, positions = found
        return cls(nodes, positions, text=text)

    @classmethod
    def spelled(cls, parts: Sequence[Any], part_text: Callable[[Any], str]) -> str:
        return f"with {part_text(parts[0])}"

    def writes(self, run: Run) -> list[Write]:
        here, there = (token(run, position) for position in self.between)
        swapped = _swapped(here, there)
        return [Write(name, mask, swapped) for name, mask in run.outputs(self.nodes).items()]


def between(
    written: Written, reading: Reading, example: str
) -> tuple[tuple[Node, ...], tuple[Position, Position]] | None:
    """What is swapped, at both of two positions, and these: that of the nodes and that of the first other part. None
    after it is reported that there are not two of them, of one token each."""
    nodes, other = reading.nodes(written.nodes), reading.position(written.parts[0])
    if nodes is None or other is None:
        return None
    if len({node.position for node in nodes}) > 1 or nodes[0].position in (ALL, other):
        message = f"what is swapped stands at one position, which is not `{other}`"
        reading.report("C609", message, written.nodes.span, f"say where after the nodes: `{example}`")
        return None
    positions = (nodes[0].position, other)
    for position, part in zip(positions, (written.nodes, written.parts[0]), strict=True):
        if not is_single(position, part.span, reading):
            return None
    return (*nodes, *(replace(node, position=other) for node in nodes)), positions


def is_single(position: Position, span: Any, reading: Reading) -> bool:
    """Whether a position is one token; reports where it may be several."""
    several = reading.is_many(position)
    if several:
        message = f"`{position}` may be several tokens, and what is swapped is of single tokens"
        reading.report("C609", message, span, "name a position of one token")
    return not several


def token(run: Run, position: Position) -> Tensor:
    """The index of a position's token, [prompts]. Raises CannotMeasure where it has none, or several."""
    mask = run.mask(position)
    if bool((mask.sum(-1) != 1).any()):
        run.refuse(f"what is swapped is of single tokens, and {position} is not one on every prompt")
    return mask.int().argmax(-1)


def _swapped(here: Tensor, there: Tensor) -> Callable[[Tensor], Tensor]:
    """Rows of an activation [prompts, tokens, ...] exchanged, prompt by prompt."""

    def swap(activation: Tensor) -> Tensor:
        import torch  # here, for reading a specification needs none

        prompts, new = torch.arange(len(activation), device=activation.device), activation.clone()
        new[prompts, here], new[prompts, there] = activation[prompts, there], activation[prompts, here]
        return new

    return swap
