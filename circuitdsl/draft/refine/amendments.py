"""A change of a specification: what is proposed, and how its text is edited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from circuitdsl.draft.refine.editing import Edit, Specification, why_not
from circuitdsl.draft.refine.inquiry import Answer
from circuitdsl.language.environment import Environment
from circuitdsl.outcome.refinement import Kind, Proposal
from circuitdsl.report.words import estimate, p_said


@dataclass(frozen=True)
class Amendment:
    """``remark`` stands beside what is changed in ``role``, if it is a role."""

    proposal: Proposal
    edit: Edit
    role: str = ""
    remark: str = ""


def kept_back(reason: str) -> Edit:
    """No change of the text, for a reason."""
    return lambda specification: reason


def proposal(kind: Kind, text: str, line: int, figure: str, answer: Answer) -> Proposal:
    """A proposal with what is known of it."""
    return Proposal(
        kind,
        text,
        line,
        figure,
        answer.found.estimate,
        answer.p_adjusted,
        answer.confirmed.estimate,
        answer.confirmed.p_value,
    )


def evidence(answer: Answer) -> str:
    """The figure on the finding prompts, as it stands beside a line."""
    return f"{estimate(answer.found.estimate, 'share')}, {p_said(answer.p_adjusted)}"


def made(
    specification: Specification, amendments: Iterable[Amendment], environment: Environment
) -> tuple[Specification, tuple[Proposal, ...]]:
    """The text with all amendments that leave it right, made one by one, and the proposals; those that would not are
    withheld."""
    proposals: list[Proposal] = []
    remarks: dict[str, list[str]] = {}
    for amendment in amendments:
        changed = amendment.edit(specification)
        reason = changed if isinstance(changed, str) else why_not(specification, changed, environment)
        proposals.append(replace(amendment.proposal, withheld=reason))
        if not reason and isinstance(changed, Specification):
            specification = changed
            if amendment.role:
                remarks.setdefault(amendment.role, []).append(amendment.remark)
    for role, said in remarks.items():
        specification = specification.remarked(role, "; ".join(said))
    return specification, tuple(proposals)
