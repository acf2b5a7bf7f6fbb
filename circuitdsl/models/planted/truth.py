"""What is true of the planted models: the ground truth that tests and specifications are held against."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.components import Head, Node, Position
from circuitdsl.models.planted.plans import PLANTED


@dataclass(frozen=True)
class TrueRole:
    """Heads that do one job, and the positions where the task needs it done."""

    name: str
    heads: tuple[Head, ...]
    positions: tuple[Position, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(Node(head, position) for head in self.heads for position in self.positions)


@dataclass(frozen=True)
class TrueEdge:
    """``sender`` reaches these ``inputs`` (of "qkv") of ``receiver``; ``logits`` is a receiver with none."""

    sender: str
    receiver: str
    inputs: str = ""


@dataclass(frozen=True)
class Truth:
    """A planted circuit. Every head that is in no role is idle or a decoy for the task.

    ``sleeping`` names the roles that do nothing until those that they back up are gone.
    """

    model: str
    task: str
    roles: tuple[TrueRole, ...]
    edges: tuple[TrueEdge, ...]
    sleeping: tuple[str, ...]
    decoys: tuple[Head, ...]
    idle: tuple[Head, ...]

    def role(self, name: str) -> TrueRole:
        """The role of that name; KeyError if there is none."""
        for role in self.roles:
            if role.name == name:
                return role
        raise KeyError(name)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(node for role in self.roles for node in role.nodes)


@dataclass(frozen=True)
class _Mechanism:
    """A truth without numbers: per role, the names of its heads' plans and its positions."""

    roles: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    edges: tuple[TrueEdge, ...]
    sleeping: tuple[str, ...]


_MOVER_EDGES = (
    TrueEdge("inhibition", "mover", "q"),
    TrueEdge("inhibition", "backup_mover", "q"),
    TrueEdge("mover", "backup_mover", "q"),
    TrueEdge("mover", "logits"),
)

_MECHANISMS = {
    "ioi": _Mechanism(
        roles=(
            ("previous_token", ("previous_token",), ("S1+1",)),
            ("duplicate_token", ("duplicate_token",), ("S2",)),
            ("induction", ("induction",), ("S2",)),
            ("inhibition", ("inhibition", "name_inhibition"), ("END",)),
            ("mover", ("mover",), ("END",)),
            ("negative_mover", ("negative_mover",), ("END",)),
            ("backup_mover", ("backup_mover",), ("END",)),
        ),
        edges=(
            TrueEdge("previous_token", "induction", "kv"),
            TrueEdge("duplicate_token", "inhibition", "kv"),
            TrueEdge("induction", "inhibition", "kv"),
            TrueEdge("inhibition", "negative_mover", "q"),
            TrueEdge("negative_mover", "logits"),
            *_MOVER_EDGES,
        ),
        sleeping=("backup_mover",),
    ),
    "colored_objects": _Mechanism(
        roles=(
            ("previous_token", ("previous_token",), ("O1", "O2", "O3")),
            ("content_gatherer", ("content_gatherer",), ("END",)),
            ("inhibition", ("inhibition", "color_inhibition"), ("END",)),
            ("mover", ("mover",), ("END",)),
            ("backup_mover", ("backup_mover",), ("END",)),
        ),
        edges=(TrueEdge("content_gatherer", "inhibition", "q"), *_MOVER_EDGES),
        sleeping=("backup_mover",),
    ),
    "induction": _Mechanism(
        roles=(
            ("previous_token", ("previous_token",), ("NEXT",)),
            ("induction", ("induction",), ("END",)),
            ("backup", ("backup_induction",), ("END",)),
        ),
        edges=(
            TrueEdge("previous_token", "induction", "k"),
            TrueEdge("induction", "backup", "q"),
            TrueEdge("induction", "logits"),
        ),
        sleeping=("backup",),
    ),
}


def _position(written: str) -> Position:
    name, _, offset = written.partition("+")
    return Position(name, int(offset or 0))


def truth(model: str, task: str) -> Truth:
    """The planted circuit of ``task`` in ``model``; KeyError if it has none."""
    mechanism, heads = _MECHANISMS[task], PLANTED[model]().heads
    roles = tuple(
        TrueRole(
            name,
            tuple(head for head, plan in heads.items() if plan.name in plans),
            tuple(map(_position, positions)),
        )
        for name, plans, positions in mechanism.roles
    )
    if not all(role.heads for role in roles):
        raise KeyError(f"{model} does not do {task}")
    working = {head for role in roles for head in role.heads}
    decoys = tuple(head for head, plan in heads.items() if plan.name.startswith("decoy"))
    idle = tuple(head for head in heads if head not in working and head not in decoys)
    return Truth(model, task, roles, mechanism.edges, mechanism.sleeping, decoys, idle)


TRUTHS: tuple[Truth, ...] = (
    truth("planted-reuse", "ioi"),
    truth("planted-reuse", "colored_objects"),
    truth("planted-ioi", "ioi"),
    truth("planted-colors", "colored_objects"),
    truth("planted-induction", "induction"),
)
