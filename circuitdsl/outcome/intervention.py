"""An intervention run on a circuit's task."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.judge.estimates import Estimate
from circuitdsl.language.circuit import Intervention
from circuitdsl.outcome.claims import ClaimOutcome, exit_code


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

    ``accuracy`` and ``logit_diff`` are the estimates under it, ``accuracy_change`` and ``logit_diff_change`` those less
    the model's own. ``repaired`` counts the prompts answered right only under it, ``broken`` those answered right only
    without it, with a few examples each; for random heads both are means over the random sets, of which there are
    ``sets``.
    """

    name: str
    accuracy: Estimate
    accuracy_change: Estimate
    logit_diff: Estimate
    logit_diff_change: Estimate
    repaired: float
    broken: float
    repaired_examples: tuple[Example, ...] = ()
    broken_examples: tuple[Example, ...] = ()
    note: str = ""
    sets: int = 1

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "sets": self.sets,
            "accuracy": self.accuracy.to_dict(),
            "accuracy_change": self.accuracy_change.to_dict(),
            "logit_diff": self.logit_diff.to_dict(),
            "logit_diff_change": self.logit_diff_change.to_dict(),
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
    """An estimate without and with an intervention, and the difference, all of the same prompts.

    ``p_holm`` is the two-sided p-value of "no change", after Holm's correction over all heads of the table; ``certain``
    says whether that is below one minus the method's confidence.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    p_holm: float | None
    certain: bool

    def to_dict(self) -> dict[str, object]:
        estimates = {name: getattr(self, name).to_dict() for name in ("before", "after", "change")}
        return {**estimates, "p_holm": self.p_holm, "certain": self.certain}


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
    effect_before: Estimate
    effect_after: Estimate
    importance: Estimate

    def to_dict(self) -> dict[str, object]:
        names = ("effect_before", "effect_after", "importance")
        return {
            "head": self.head,
            "roles": list(self.roles),
            "named": self.named,
            **self.attention.to_dict(),
            **{name: getattr(self, name).to_dict() for name in names},
        }


@dataclass(frozen=True)
class Downstream:
    """The attention of all heads after an intervention, between two positions that the specification names.

    ``correlation`` is Spearman's between the change of attention and the size of the importance, over the heads that
    claims name here; ``correlation_of_all`` over all heads after the intervention.
    """

    where: str
    heads: tuple[HeadChange, ...]
    correlation: Estimate
    correlation_of_all: Estimate

    def to_dict(self) -> dict[str, object]:
        return {
            "where": self.where,
            "heads": [head.to_dict() for head in self.heads],
            "correlation": self.correlation.to_dict(),
            "correlation_of_all": self.correlation_of_all.to_dict(),
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
    are at least as accurate. ``downstream`` and ``direct`` are about all heads after the intervention. ``fingerprint``
    and ``revision`` say which weights these are, as in a CircuitReport. ``prompts`` is the most that a claim took, and
    ``first`` what all else was measured on.
    """

    intervention: Intervention
    model: str
    prompts: int
    claims: tuple[ClaimOutcome, ...]
    first: int
    accuracy: str = ""
    arms: tuple[Arm, ...] = ()
    p_value: float | None = None
    downstream: tuple[Downstream, ...] = ()
    direct: tuple[DirectEffect, ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    revision: str | None = None

    @property
    def exit_code(self) -> int:
        """That of the verdicts of its claims."""
        return exit_code(outcome.verdict for outcome in self.claims)

    def to_dict(self) -> dict[str, object]:
        """Its JSON, one of ``interventions`` in docs/report.schema.json."""
        return {
            "name": self.intervention.name,
            "on": self.intervention.on,
            "file": self.intervention.file,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "revision": self.revision,
            "prompts": self.prompts,
            "first": self.first,
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
