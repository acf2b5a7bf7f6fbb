"""What a check found out, as data: the report that every renderer reads and the JSON contract.

Numbers are floats or None with a note; nothing here is NaN or infinite (see ARCHITECTURE.md, contracts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from circuitdsl.language.circuit import Bound, Circuit, Claim, Comparison, Control, Intervention


class Verdict(StrEnum):
    """How a claim fared."""

    HOLDS = "holds"
    """The whole interval satisfies the bound."""
    FAILS = "fails"
    """The whole interval violates the bound."""
    UNDECIDED = "undecided"
    """The interval straddles the bound at the largest number of prompts that the method allows."""
    ERROR = "error"
    """The experiment could not be run; never counts as one of the three."""


EXIT_HOLDS, EXIT_FAILS, EXIT_INPUT, EXIT_UNDECIDED, EXIT_ERROR = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Figure:
    """A measured value with its interval, in the unit of its measurement (shares as fractions)."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Part:
    """A figure of one part of a claim's subject, usually one head of a role."""

    label: str
    figure: Figure


@dataclass(frozen=True)
class Variant:
    """A claim judged again with one setting of the method changed (``vary``)."""

    setting: str
    setting_value: str
    figure: Figure
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class ClaimOutcome:
    """A claim and what became of it.

    ``p_value`` is the bootstrap p-value against "the bound is not met" (small supports the claim; None for an error),
    ``p_holm`` the same after Holm's correction over the circuit's claims. ``subject`` is a JSON-ready description of
    the arguments. ``control`` is the control's figure where the claim compares with one.
    """

    claim: Claim
    unit: str
    figure: Figure
    verdict: Verdict
    confidence: float
    prompts: int
    note: str = ""
    subject: Mapping[str, object] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    variants: tuple[Variant, ...] = ()
    control: Figure | None = None
    p_value: float | None = None
    p_holm: float | None = None

    def to_dict(self) -> dict[str, object]:
        return {
            "id": self.claim.id,
            "line": self.claim.line,
            "kind": self.claim.kind,
            "text": self.claim.text,
            "measure": self.claim.term.measure,
            "unit": self.unit,
            "subject": dict(self.subject),
            **_figure(self.figure),
            "confidence": self.confidence,
            "bound": _bound(self.claim.bound, self.control),
            "verdict": str(self.verdict),
            "prompts": self.prompts,
            "note": self.note,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "parts": [{"label": part.label, **_figure(part.figure)} for part in self.parts],
            "variants": [
                {
                    "setting": v.setting,
                    "value_of_setting": v.setting_value,
                    **_figure(v.figure),
                    "verdict": str(v.verdict),
                    "note": v.note,
                }
                for v in self.variants
            ],
        }


@dataclass(frozen=True)
class HeadOutcome:
    """The knockout effect of one node: (F_ablated - F) / |F|."""

    head: str
    position: str
    roles: tuple[str, ...]
    figure: Figure

    def to_dict(self) -> dict[str, object]:
        return {
            "head": self.head,
            "position": self.position,
            "roles": list(self.roles),
            "effect": self.figure.value,
            "low": self.figure.low,
            "high": self.figure.high,
        }


@dataclass(frozen=True)
class CircuitReport:
    """A circuit checked on a model. ``unexplained`` are heads outside it whose knockout effect exceeds the floor."""

    circuit: Circuit
    model: str
    processing: str  # how the weights were processed, in words
    prompts: int
    claims: tuple[ClaimOutcome, ...]
    heads: tuple[HeadOutcome, ...] = ()
    unexplained: tuple[HeadOutcome, ...] = ()
    unexplained_note: str = ""
    notes: tuple[str, ...] = ()  # what the task had to leave out with this tokenizer
    example: str = ""  # one prompt, for people

    @property
    def exit_code(self) -> int:
        return exit_code(outcome.verdict for outcome in self.claims)

    def to_dict(self) -> dict[str, object]:
        method = self.circuit.method
        return {
            "name": self.circuit.name,
            "file": self.circuit.file,
            "model": self.model,
            "processing": self.processing,
            "task": str(self.circuit.task),
            "prompts": self.prompts,
            "method": {
                "metric": method.metric,
                "against": method.against,
                "ablate": method.ablate,
                "prompts": [method.prompts_first, method.prompts_most],
                "positions": method.positions,
                "floor": method.floor,
                "confidence": method.confidence,
                "seed": method.seed,
                "bos": method.bos,
            },
            "exit": self.exit_code,
            "claims": [outcome.to_dict() for outcome in self.claims],
            "heads": [head.to_dict() for head in self.heads],
            "unexplained": [head.to_dict() for head in self.unexplained],
            "unexplained_note": self.unexplained_note,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ComparisonReport:
    """Two circuits compared; ``structure`` is the JSON-ready result of ``circuitdsl.compare`` (see compare/)."""

    comparison: Comparison
    structure: Mapping[str, object]
    claims: tuple[ClaimOutcome, ...]

    @property
    def exit_code(self) -> int:
        return exit_code(outcome.verdict for outcome in self.claims)

    def to_dict(self) -> dict[str, object]:
        return {
            **self.structure,
            "file": self.comparison.file,
            "exit": self.exit_code,
            "claims": [outcome.to_dict() for outcome in self.claims],
        }


@dataclass(frozen=True)
class InterventionReport:
    """An intervention run on a circuit's task."""

    intervention: Intervention
    model: str
    prompts: int
    claims: tuple[ClaimOutcome, ...]

    @property
    def exit_code(self) -> int:
        return exit_code(outcome.verdict for outcome in self.claims)

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.intervention.name,
            "on": self.intervention.on,
            "file": self.intervention.file,
            "model": self.model,
            "prompts": self.prompts,
            "actions": [action.text for action in self.intervention.actions],
            "exit": self.exit_code,
            "claims": [outcome.to_dict() for outcome in self.claims],
        }


@dataclass(frozen=True)
class Cost:
    """What a check took: experiments run, prompts through the model, experiments that the store answered."""

    experiments: int
    prompt_passes: int
    passes: float  # prompt_passes over the prompts of one full pass
    kept: int = 0


@dataclass(frozen=True)
class Report:
    """Everything that one call of ``check`` found out."""

    circuits: tuple[CircuitReport, ...]
    comparisons: tuple[ComparisonReport, ...]
    interventions: tuple[InterventionReport, ...]
    versions: Mapping[str, str]
    seconds: float
    cost: Cost
    engine: str = "plain"

    @property
    def outcomes(self) -> tuple[ClaimOutcome, ...]:
        parts = (*self.circuits, *self.comparisons, *self.interventions)
        return tuple(outcome for part in parts for outcome in part.claims)

    @property
    def exit_code(self) -> int:
        return exit_code(outcome.verdict for outcome in self.outcomes)

    @property
    def summary(self) -> dict[str, int]:
        verdicts = [outcome.verdict for outcome in self.outcomes]
        return {str(verdict): verdicts.count(verdict) for verdict in Verdict}

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/report/1",
            "versions": dict(self.versions),
            "seconds": round(self.seconds, 3),
            "engine": self.engine,
            "cost": {
                "experiments": self.cost.experiments,
                "prompt_passes": self.cost.prompt_passes,
                "passes": self.cost.passes,
                "kept": self.cost.kept,
            },
            "circuits": [report.to_dict() for report in self.circuits],
            "comparisons": [report.to_dict() for report in self.comparisons],
            "interventions": [report.to_dict() for report in self.interventions],
            "summary": self.summary,
        }


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The exit code of a set of verdicts: an error outweighs a failure, which outweighs an open question."""
    seen = set(verdicts)
    if Verdict.ERROR in seen:
        return EXIT_ERROR
    if Verdict.FAILS in seen:
        return EXIT_FAILS
    if Verdict.UNDECIDED in seen:
        return EXIT_UNDECIDED
    return EXIT_HOLDS


def _figure(figure: Figure) -> dict[str, object]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _bound(bound: Bound | Control, control: Figure | None) -> dict[str, object]:
    if isinstance(bound, Bound):
        return {"op": bound.op, "low": bound.low, "high": bound.high}
    return {"op": bound.op, "control": bound.name, **_figure(control or Figure(None, None, None))}
