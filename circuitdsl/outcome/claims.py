"""Claims and what became of them, with the exit code of a set of verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.singles import Singles
from circuitdsl.language.circuit import Bound, Claim

EXIT_HOLDS, EXIT_FAILS, EXIT_INPUT, EXIT_UNDECIDED, EXIT_ERROR = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Part:
    """An estimate of one part of a claim's subject, usually one head of a role, on so many ``prompts``: fewer than the
    claim's where they showed enough of it."""

    label: str
    estimate: Estimate
    prompts: int


@dataclass(frozen=True)
class Variant:
    """A claim judged again, once, with one setting of the method changed (``vary``), on so many ``prompts``."""

    setting: str
    setting_value: str
    estimate: Estimate
    verdict: Verdict
    prompts: int
    note: str = ""


@dataclass(frozen=True)
class ClaimOutcome:
    """A claim and what became of it.

    ``p_value`` is one-sided, against "the bound is not met" (small supports the claim; None for an error),
    ``p_holm`` the same after Holm's correction over the circuit's claims. ``subject`` is a JSON-ready description of
    the arguments. ``control`` is the control's estimate where the claim compares with one; of random sets that
    few prompts settled it is of these: ``control_prompts`` says on how many it was measured. ``exact``: the figure is
    that of all prompts that there are, and the verdict rests on no test. ``singles`` is the figure prompt by prompt,
    where it is one of prompts.
    """

    claim: Claim
    unit: str
    estimate: Estimate
    verdict: Verdict
    confidence: float
    prompts: int
    note: str = ""
    parts: tuple[Part, ...] = ()
    variants: tuple[Variant, ...] = ()
    control: Estimate | None = None
    control_prompts: int | None = None
    p_value: float | None = None
    p_holm: float | None = None
    exact: bool = False
    singles: Singles | None = field(default=None, repr=False)

    @property
    def untested(self) -> bool:
        """Whether it is undecided for the reason that its note says, on however many prompts: what was measured means
        nothing, as where the model does not do the task."""
        return self.verdict is Verdict.UNDECIDED and self.p_value is None and bool(self.note)

    @property
    def depends_on_method(self) -> bool | None:
        """Whether it holds under one method and fails under another, of its own and those that were varied.

        None where that is not told: nothing was varied, or it holds (or fails) under some and is open under others.
        """
        seen = {self.verdict, *(variant.verdict for variant in self.variants)}
        if {Verdict.HOLDS, Verdict.FAILS} <= seen:
            return True
        return None if not self.variants or seen - {Verdict.HOLDS, Verdict.FAILS} else False

    def to_dict(self) -> dict[str, object]:
        """Its JSON, one of ``claims`` in docs/report.schema.json; a value that was not measured is None."""
        return {
            "id": self.claim.id,
            "line": self.claim.line,
            "kind": self.claim.kind,
            "text": self.claim.text,
            "measure": self.claim.term.measure,
            "unit": self.unit,
            "subject": self.claim.term.to_dict(),
            **self.estimate.to_dict(),
            "confidence": self.confidence,
            "bound": self._bound(),
            "verdict": str(self.verdict),
            "prompts": self.prompts,
            "exact": self.exact,
            "note": self.note,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "parts": [{"label": part.label, "prompts": part.prompts, **part.estimate.to_dict()} for part in self.parts],
            "depends_on_method": self.depends_on_method,
            "variants": [
                {
                    "setting": v.setting,
                    "value_of_setting": v.setting_value,
                    **v.estimate.to_dict(),
                    "verdict": str(v.verdict),
                    "prompts": v.prompts,
                    "note": v.note,
                }
                for v in self.variants
            ],
            "singles": None if self.singles is None else self.singles.to_dict(),
        }

    def _bound(self) -> dict[str, object]:
        bound, control = self.claim.bound, self.control or NOTHING
        if isinstance(bound, Bound):
            return {"op": bound.op, "low": bound.low, "high": bound.high}
        return {"op": bound.op, "control": bound.name, **control.to_dict(), "prompts": self.control_prompts}


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The exit code of a set of verdicts: an error outweighs a failure, which outweighs an open question.

    >>> exit_code([Verdict.HOLDS, Verdict.UNDECIDED]), exit_code([Verdict.FAILS, Verdict.UNDECIDED])
    (3, 1)
    """
    seen = set(verdicts)
    if Verdict.ERROR in seen:
        return EXIT_ERROR
    if Verdict.FAILS in seen:
        return EXIT_FAILS
    if Verdict.UNDECIDED in seen:
        return EXIT_UNDECIDED
    return EXIT_HOLDS
