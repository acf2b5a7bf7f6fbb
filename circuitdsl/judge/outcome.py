"""What a check found out, as data: the report that every renderer reads and the JSON contract.

Numbers are floats or None with a note; nothing here is NaN or infinite (see ARCHITECTURE.md, contracts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

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

    ``p_value`` is one-sided, against "the bound is not met" (small supports the claim; None for an error),
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
class Screening:
    """How a sweep was screened: in which precision, how many heads were sorted out, and by which margin.

    ``margin`` is how far the effects in that precision were taken to be off at most; None where nothing told.
    """

    dtype: str
    sorted_out: int
    margin: float | None

    def to_dict(self) -> dict[str, object]:
        return {"dtype": self.dtype, "sorted_out": self.sorted_out, "margin": self.margin}


@dataclass(frozen=True)
class CircuitReport:
    """A circuit checked on a model. ``unexplained`` are heads outside it whose knockout effect exceeds the floor.

    ``screening`` says how the search for them was screened, if it was.
    """

    circuit: Circuit
    model: str
    processing: str  # how the weights were processed, in words
    prompts: int
    claims: tuple[ClaimOutcome, ...]
    heads: tuple[HeadOutcome, ...] = ()
    unexplained: tuple[HeadOutcome, ...] = ()
    unexplained_note: str = ""
    screening: Screening | None = None
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
            "screening": self.screening.to_dict() if self.screening else None,
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
class Example:
    """A prompt whose answer an intervention changed from wrong to right or back; its logit difference on both sides."""

    prompt: str
    before: float | None
    after: float | None

    def to_dict(self) -> dict[str, object]:
        return {"prompt": self.prompt, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Arm:
    """An intervention done in part or by other heads, measured beside the others on the same prompts.

    ``accuracy`` and ``logit_diff`` are the figures under it, ``accuracy_change`` and ``logit_diff_change`` those less
    the model's own. ``repaired`` counts the prompts answered right only under it, ``broken`` those answered right only
    without it, with a few examples each; for random heads both are means over the random sets.
    """

    name: str
    accuracy: Figure
    accuracy_change: Figure
    logit_diff: Figure
    logit_diff_change: Figure
    repaired: float
    broken: float
    repaired_examples: tuple[Example, ...] = ()
    broken_examples: tuple[Example, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "accuracy": _figure(self.accuracy),
            "accuracy_change": _figure(self.accuracy_change),
            "logit_diff": _figure(self.logit_diff),
            "logit_diff_change": _figure(self.logit_diff_change),
            "repaired": self.repaired,
            "broken": self.broken,
            "examples": {
                "repaired": [example.to_dict() for example in self.repaired_examples],
                "broken": [example.to_dict() for example in self.broken_examples],
            },
            "note": self.note,
        }


@dataclass(frozen=True)
class Change:
    """A figure without and with an intervention, and the difference, all of the same prompts.

    ``p_holm`` is the two-sided p-value of "no change", after Holm's correction over all heads of the table; ``certain``
    says whether that is below one minus the method's confidence.
    """

    before: Figure
    after: Figure
    change: Figure
    p_holm: float | None
    certain: bool

    def to_dict(self) -> dict[str, object]:
        figures = {name: _figure(getattr(self, name)) for name in ("before", "after", "change")}
        return {**figures, "p_holm": self.p_holm, "certain": self.certain}


@dataclass(frozen=True)
class HeadChange:
    """What an intervention changes in a head after it: its attention, and what the metric loses without the head.

    ``named``: a claim of attention names the head here, or a role that stands at the query. ``effect_before`` and
    ``effect_after``, of heads that a claim names: the metric with the head ablated less the metric, without and with
    the intervention. ``importance`` is its effect on the logits by path patching, without the intervention. All in
    units of the metric.
    """

    head: str
    roles: tuple[str, ...]
    named: bool
    attention: Change
    effect_before: Figure
    effect_after: Figure
    importance: Figure

    def to_dict(self) -> dict[str, object]:
        names = ("effect_before", "effect_after", "importance")
        return {
            "head": self.head,
            "roles": list(self.roles),
            "named": self.named,
            **self.attention.to_dict(),
            **{name: _figure(getattr(self, name)) for name in names},
        }


@dataclass(frozen=True)
class Downstream:
    """The attention of all heads after an intervention, between two positions that the specification speaks of.

    ``correlation`` is Spearman's between the change of attention and the size of the importance, over the heads that
    claims name here; ``correlation_of_all`` over all heads after the intervention.
    """

    where: str
    heads: tuple[HeadChange, ...]
    correlation: Figure
    correlation_of_all: Figure

    def to_dict(self) -> dict[str, object]:
        return {
            "where": self.where,
            "heads": [head.to_dict() for head in self.heads],
            "correlation": _figure(self.correlation),
            "correlation_of_all": _figure(self.correlation_of_all),
        }


@dataclass(frozen=True)
class DirectEffect:
    """What an intervention changes in a later head's own effect on the logits.

    The effect is path patching's, in units of the metric: the metric with the head's path to the logits patched less
    the metric, without and under the intervention. ``named``: a claim of attention names the head, or a role.
    """

    head: str
    roles: tuple[str, ...]
    named: bool
    effect: Change

    def to_dict(self) -> dict[str, object]:
        return {"head": self.head, "roles": list(self.roles), "named": self.named, **self.effect.to_dict()}


@dataclass(frozen=True)
class InterventionReport:
    """An intervention run on a circuit's task.

    ``arms``: the model as it is, the whole intervention, each action alone, and random heads of the same layers;
    ``accuracy`` says which accuracy theirs is. ``p_value`` is the share of random sets, the real one counted in, that
    are at least as accurate. ``downstream`` and ``direct`` are about all heads after the intervention.
    """

    intervention: Intervention
    model: str
    prompts: int
    claims: tuple[ClaimOutcome, ...]
    accuracy: str = ""
    arms: tuple[Arm, ...] = ()
    p_value: float | None = None
    downstream: tuple[Downstream, ...] = ()
    direct: tuple[DirectEffect, ...] = ()
    notes: tuple[str, ...] = ()

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
            "accuracy": self.accuracy,
            "arms": [arm.to_dict() for arm in self.arms],
            "p_value": self.p_value,
            "downstream": [each.to_dict() for each in self.downstream],
            "direct_effects": [each.to_dict() for each in self.direct],
            "notes": list(self.notes),
        }


StepKind = Literal["reproduction", "overlap", "function", "attention", "intervention", "downstream"]
"""What a step of the argument is about; ``judge.story`` says which blocks and claims make it."""


@dataclass(frozen=True)
class Fact:
    """A figure that a step rests on, in ``unit``: "share", "logits", "heads", "prompts", "p" (a p-value) or "".

    ``verdict`` is that of the claim of which it is the figure; None where nothing is claimed about it.
    """

    label: str
    unit: str
    figure: Figure
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, object]:
        verdict = None if self.verdict is None else str(self.verdict)
        return {"label": self.label, "unit": self.unit, **_figure(self.figure), "verdict": verdict}


@dataclass(frozen=True)
class Step:
    """One step of the argument that the blocks of a report make together.

    ``about`` names the block or blocks, ``verdicts`` are those of the claims that the step consists of, and ``facts``
    what a reader needs of it, which is less than all of its claims.
    """

    kind: StepKind
    about: str
    verdicts: tuple[Verdict, ...]
    facts: tuple[Fact, ...]

    @property
    def summary(self) -> dict[str, int]:
        return {str(verdict): self.verdicts.count(verdict) for verdict in Verdict}

    def to_dict(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "about": self.about,
            "claims": self.summary,
            "facts": [fact.to_dict() for fact in self.facts],
        }


@dataclass(frozen=True)
class Cost:
    """What a check took: experiments run, prompts through the model, experiments that the store answered.

    For comparison what was planned, in passes over all prompts and with nothing in the store: ``planned`` for the
    engine at work, ``plain`` for the plain engine, which runs one experiment after the other.
    """

    experiments: int
    prompt_passes: int
    passes: float  # prompt_passes over the prompts of one full pass
    kept: int = 0
    planned: float = 0.0
    plain: float = 0.0


@dataclass(frozen=True)
class Report:
    """Everything that one call of ``check`` found out; ``story`` is what its blocks say together."""

    circuits: tuple[CircuitReport, ...]
    comparisons: tuple[ComparisonReport, ...]
    interventions: tuple[InterventionReport, ...]
    versions: Mapping[str, str]
    seconds: float
    cost: Cost
    engine: str = "plain"
    dtype: str = "float32"  # the precision of the models; figures are accumulated in float64
    device: str = "cpu"  # where the models ran: "cuda:0"
    story: tuple[Step, ...] = ()

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
            "dtype": self.dtype,
            "device": self.device,
            "cost": {
                "experiments": self.cost.experiments,
                "prompt_passes": self.cost.prompt_passes,
                "passes": self.cost.passes,
                "kept": self.cost.kept,
                "planned": self.cost.planned,
                "plain": self.cost.plain,
            },
            "circuits": [report.to_dict() for report in self.circuits],
            "comparisons": [report.to_dict() for report in self.comparisons],
            "interventions": [report.to_dict() for report in self.interventions],
            "story": [step.to_dict() for step in self.story],
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
