"""Verdicts on the claims of a compare block that two descriptions decide, without a model."""

from __future__ import annotations

from circuitdsl.compare.chance import Chance
from circuitdsl.compare.overlap import Overlap
from circuitdsl.compare.structure import Structure, chance_share, compare_roles
from circuitdsl.judge.estimates import Estimate, Verdict, exactly
from circuitdsl.judge.verdicts import decide
from circuitdsl.language.circuit import Bound, Circuit, Claim, Control, Elements
from circuitdsl.outcome import ClaimOutcome


def judge_overlap(claim: Claim, structure: Structure, left: Circuit, right: Circuit) -> ClaimOutcome:
    """Judge an ``overlap`` claim. The estimate is exact: its interval is the estimate itself.

    A comparison has no method of its own; ``> chance`` is judged at the stricter of the two circuits' confidences.
    An undefined share (of a circuit without heads) or an undefined chance is an error, never a failure.
    """
    elements = dict(claim.term.arguments)["elements"]
    assert isinstance(elements, Elements)
    overlap, by_chance = _measured(elements, structure, left, right)
    confidence = max(left.method.confidence, right.method.confidence)
    verdict, note = _verdict(claim.bound, overlap, by_chance, confidence)
    share = overlap.of_smaller
    return ClaimOutcome(
        claim=claim,
        unit="share",
        estimate=exactly(share),
        verdict=verdict,
        confidence=confidence,
        prompts=0,
        note=note,
        control=_control(claim.bound, overlap, by_chance),
        p_value=_p_value(claim.bound, by_chance) if by_chance and isinstance(claim.bound, Control) else None,
    )


def _measured(elements: Elements, structure: Structure, left: Circuit, right: Circuit) -> tuple[Overlap, Chance | None]:
    match elements.kind:
        case "heads":
            return structure.heads, structure.heads_chance
        case "nodes":
            return structure.nodes, structure.nodes_chance
        case "roles":
            return structure.matched_roles, None
        case "edges":
            return structure.edges, None
        case "pair":
            pair = compare_roles(left, right, elements.pair)
            return pair.heads, pair.chance


def _verdict(
    bound: Bound | Control, overlap: Overlap, by_chance: Chance | None, confidence: float
) -> tuple[Verdict, str]:
    share = overlap.of_smaller
    if share is None:
        return Verdict.ERROR, "one of the two has nothing to share: the share of the smaller is undefined"
    counts = f"{len(overlap.shared)} shared of {overlap.left} and {overlap.right}"
    if isinstance(bound, Bound):
        return decide(bound, share, share), counts
    if by_chance is None:
        return Verdict.ERROR, "chance is defined for heads, and for nodes that are heads, of models of one shape"
    p_value, tail = _p_value(bound, by_chance), "more" if bound.op == ">" else "fewer"
    likely = f"{counts}; chance gives {by_chance.expected:.2f}, and as many or {tail} with p = {p_value:.2g}"
    return (Verdict.HOLDS if p_value < 1 - confidence else Verdict.FAILS), likely


def _p_value(bound: Control, by_chance: Chance) -> float:
    """How likely chance would give as many or more (``>``), or as few or fewer (``<``)."""
    return by_chance.p_value if bound.op == ">" else by_chance.p_fewer


def _control(bound: Bound | Control, overlap: Overlap, by_chance: Chance | None) -> Estimate | None:
    """The share that chance is expected to give, where the claim compares with it."""
    if isinstance(bound, Bound):
        return None
    return exactly(chance_share(by_chance, overlap))
