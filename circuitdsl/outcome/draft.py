"""What a draft found: roles, what each of their nodes feeds, the text that states it, and what it left open."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.components import Node, Position
from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.outcome.circuit import HeadOutcome, OnModel, Performance, method_facts
from circuitdsl.outcome.claims import EXIT_ERROR, EXIT_HOLDS
from circuitdsl.outcome.ran import Ran

_OF_CLAIMS = ("prompts", "prompts_all", "positions", "members", "errors")
"""Settings that say how claims are judged, or that are given by themselves."""


WHOLE = 0.5
"""A circuit that surely keeps less than this of the metric is told not to be whole."""


def is_lacking(kept: Estimate) -> bool:
    """Whether a circuit surely keeps too little of the metric to be whole."""
    return kept.high is not None and kept.high < WHOLE


@dataclass(frozen=True)
class Into:
    """What a sender feeds: an input of a role, read at a position; the logits, without either."""

    role: str = ""
    input: str = ""
    place: Position | None = None

    def __str__(self) -> str:
        return f"{self.role}{'.' * bool(self.input)}{self.input}" if self.role else "logits"


LOGITS = Into()


@dataclass(frozen=True)
class Fed:
    """A sender that was found to feed something, on the finding prompts.

    ``against`` is the counterfactual that it was patched from. ``p_adjusted`` is corrected for all senders of its stage
    (``judge.verdicts.false_discovery``). ``again`` is the share of resampled prompts on which it is found again,
    ``at_double`` the same with twice the floor.

    ``together`` are all that it entered with, as one, if not alone: ``p_adjusted``, corrected for all layers of the
    stage, ``again`` and ``at_double`` are then those of the group.
    """

    sender: Node
    into: Into
    against: str
    stage: int
    estimate: Estimate
    p_value: float | None
    p_adjusted: float | None
    again: float = 0.0
    at_double: float = 0.0
    together: tuple[Node, ...] = ()

    def to_dict(self) -> dict[str, object]:
        return {
            "sender": str(self.sender.component),
            "position": str(self.sender.position),
            "into": str(self.into),
            "read_at": "" if self.into.place is None else str(self.into.place),
            "against": self.against,
            "stage": self.stage,
            **self.estimate.to_dict(),
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "again": self.again,
            "again_at_double_floor": self.at_double,
            "together": [str(node) for node in self.together],
        }


@dataclass(frozen=True)
class DraftRole:
    """Nodes that stand, feed, look and behave alike. ``about`` are the measured reasons for the name; none where it is
    a number."""

    name: str
    nodes: tuple[Node, ...]
    stage: int
    about: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        nodes = [{"component": str(node.component), "position": str(node.position)} for node in self.nodes]
        return {"name": self.name, "nodes": nodes, "stage": self.stage, "about": list(self.about)}


@dataclass(frozen=True)
class StageOutcome:
    """One step back: of how many ``senders`` how many ``entered`` alone, and ``grouped`` in groups. ``idle`` are inputs
    that were not looked into, for all that they receive together has surely less than the floor; ``together`` is how
    many senders were told in packs to do nothing."""

    into: tuple[Into, ...]
    senders: int
    entered: int
    grouped: int = 0
    idle: tuple[Into, ...] = ()
    together: int = 0

    def to_dict(self) -> dict[str, object]:
        def named(each: Into) -> str:
            return f"{each} at {each.place}" if each.place else str(each)

        return {
            "into": [named(each) for each in self.into],
            "senders": self.senders,
            "entered": self.entered,
            "grouped": self.grouped,
            "idle": [named(each) for each in self.idle],
            "together": self.together,
        }


@dataclass(frozen=True)
class Refused:
    """A line that did not hold on the judging prompts, and was left out."""

    line: str
    verdict: Verdict
    estimate: Estimate


@dataclass(frozen=True, repr=False, kw_only=True)
class DraftReport(Displayed, OnModel, Ran):
    """A draft of a circuit. ``text`` is the specification, "" where the model does not do the task.

    ``circuit`` is that of the finding prompts: model, task, method. ``mlps`` says whether MLPs were looked for,
    ``against`` what was patched from: the method's counterfactual, and others.
    ``kept`` is the faithfulness on the judging prompts, ``unexplained`` the heads that matter there and are not listed
    (not looked for if None). ``unfinished`` says why the search ended early, if it did.
    """

    text: str
    rule: str
    mlps: bool
    against: tuple[str, ...]
    halves: str
    performance: Performance
    stages: tuple[StageOutcome, ...]
    roles: tuple[DraftRole, ...]
    fed: tuple[Fed, ...]
    refused: tuple[Refused, ...]
    confirmed: int
    prompts: tuple[int, int]  # of the finding half, of the judging half
    kept: Estimate = NOTHING
    unexplained: tuple[HeadOutcome, ...] | None = None
    unfinished: str = ""
    withheld: str = ""

    @property
    def lacks(self) -> bool:
        """Whether what is listed, kept alone, surely keeps less than half of the metric."""
        return is_lacking(self.kept)

    @property
    def exit_code(self) -> int:
        """0, or 4 where nothing could be drafted."""
        return EXIT_ERROR if self.withheld else EXIT_HOLDS

    def to_dict(self) -> dict[str, object]:
        """Its JSON, as docs/draft.schema.json has it."""
        return {
            "schema": "circuitdsl/draft/3",
            **self.ran_dict(),
            **self.model_dict(),
            "task": str(self.circuit.task),
            "prompts": list(self.prompts),
            "method": method_facts(self.circuit.method, without=_OF_CLAIMS),
            "rule": self.rule,
            "mlps": self.mlps,
            "against": list(self.against),
            "halves": self.halves,
            "performance": self.performance.to_dict(),
            "withheld": self.withheld,
            "stages": [stage.to_dict() for stage in self.stages],
            "unfinished": self.unfinished,
            "roles": [role.to_dict() for role in self.roles],
            "fed": [each.to_dict() for each in self.fed],
            "confirmed": self.confirmed,
            "refused": [
                {"line": each.line, "verdict": str(each.verdict), **each.estimate.to_dict()} for each in self.refused
            ],
            "faithfulness": self.kept.to_dict(),
            "unexplained": None if self.unexplained is None else [row.to_dict() for row in self.unexplained],
            "text": self.text,
            "notes": list(self.notes),
            "exit": self.exit_code,
        }
