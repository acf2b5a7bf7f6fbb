"""Two reports of one specification: which verdicts and values changed, and what else did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from circuitdsl.display import Displayed
from circuitdsl.judge.drift import apart
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.singles import SURE, Singles, alike
from circuitdsl.language.circuit import Bound
from circuitdsl.outcome.claims import exit_code
from circuitdsl.visible import shown_fingerprint

LEVEL = 0.05
"""How often it is at most said of any claim, where nothing changed, that its value moved."""

MARGIN = 0.01
"""What a change that is found prompt by prompt alone has to be more than, as a share of the value or of one, whichever
is more: on the same prompts differences are found that are of no interest."""


@dataclass(frozen=True)
class Standing:
    """How a claim stood in one report. ``about`` is its measure, unit and subject, as far as figures depend on them;
    ``bound`` what it wants, a control by its own value, and None for a control that has none. ``singles`` is the figure
    prompt by prompt, None where the report has none."""

    id: str
    block: str
    text: str
    unit: str
    about: str
    estimate: Estimate
    confidence: float
    verdict: Verdict
    prompts: int
    note: str
    bound: Bound | None = None
    singles: Singles | None = field(default=None, repr=False)

    @property
    def interval(self) -> tuple[Estimate, float]:
        """The estimate with the widest interval that the report has, and the confidence of that."""
        if self.singles is None or self.singles.ends is None:
            return self.estimate, self.confidence
        return Estimate(self.estimate.value, *self.singles.ends), SURE

    def to_dict(self) -> dict[str, object]:
        return {
            "text": self.text,
            **self.estimate.to_dict(),
            "confidence": self.confidence,
            "verdict": str(self.verdict),
            "prompts": self.prompts,
        }


@dataclass(frozen=True)
class Recorded:
    """What a report says, as far as another can be set against it.

    ``facts`` are what figures depend on, by name: versions, engine, device, and for each circuit its model, weights,
    task and method. ``weights`` has for each circuit the fingerprint and what the model was called, with its revision.
    """

    facts: Mapping[str, str]
    weights: Mapping[str, tuple[str, str]]
    claims: Mapping[str, Standing]


@dataclass(frozen=True)
class FactChange:
    """Something that figures depend on; ``old`` or ``new`` is "" where a report has nothing of it."""

    what: str
    old: str
    new: str

    def to_dict(self) -> dict[str, str]:
        return {"what": self.what, "old": self.old, "new": self.new}


@dataclass(frozen=True)
class ClaimDrift:
    """A claim in two reports, None where one lacks it. ``verdict`` is on "this is as it was", ``note`` says why.

    ``difference`` is by how much it changed on the prompts that both have, at half of the level of all claims
    together; None where the two cannot be paired.
    """

    id: str
    old: Standing | None
    new: Standing | None
    moved: bool
    verdict: Verdict
    note: str = ""
    difference: Estimate | None = None

    @property
    def last(self) -> Standing:
        """How it stands, or stood where the newer report lacks it."""
        standing = self.new or self.old
        assert standing is not None
        return standing

    def to_dict(self) -> dict[str, object]:
        return {
            "id": self.id,
            "block": self.last.block,
            "unit": self.last.unit,
            "old": self.old.to_dict() if self.old else None,
            "new": self.new.to_dict() if self.new else None,
            "difference": None if self.difference is None else self.difference.to_dict(),
            "moved": self.moved,
            "verdict": str(self.verdict),
            "note": self.note,
        }


@dataclass(frozen=True, repr=False)
class Drift(Displayed):
    """Two reports set against each other: all claims of both, what else changed, and what is to be known besides."""

    claims: tuple[ClaimDrift, ...]
    facts: tuple[FactChange, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return exit_code(claim.verdict for claim in self.claims)

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/drift/2",
            "level": LEVEL,
            "exit": self.exit_code,
            "facts": [fact.to_dict() for fact in self.facts],
            "notes": list(self.notes),
            "claims": [claim.to_dict() for claim in self.claims],
        }


def drifted(old: Recorded, new: Recorded) -> Drift:
    """What became of the claims of ``old`` in ``new``. The level is shared by the claims that are compared.

    A value moved if two intervals do not meet, whatever prompts they are of. One that both reports have of the same
    prompts moved also if what became of these prompts says so: each of the two rules has half of the level then.
    """
    both = [name for name in old.claims if name in new.claims]
    level = LEVEL / max(1, len(both))
    names = dict.fromkeys((*old.claims, *new.claims))
    claims = tuple(_claim(name, old.claims.get(name), new.claims.get(name), level) for name in names)
    facts = dict.fromkeys((*old.facts, *new.facts))
    changed = (FactChange(what, old.facts.get(what, ""), new.facts.get(what, "")) for what in facts)
    return Drift(claims, tuple(each for each in changed if each.old != each.new), tuple(_same_weights(old, new)))


def _same_weights(old: Recorded, new: Recorded) -> Iterator[str]:
    """That one set of weights goes by two names."""
    for circuit, (fingerprint, name) in old.weights.items():
        other, called = new.weights.get(circuit, ("", ""))
        if fingerprint and fingerprint == other and name != called:
            yield f"{circuit}: {name} and {called} have the same weights ({shown_fingerprint(fingerprint)})"


def _claim(name: str, old: Standing | None, new: Standing | None, level: float) -> ClaimDrift:
    if old is None or new is None:
        return ClaimDrift(name, old, new, False, Verdict.UNDECIDED, f"only the {'new' if new else 'old'} report has it")
    if new.verdict is Verdict.ERROR:
        return ClaimDrift(name, old, new, False, Verdict.ERROR, new.note)
    if old.about != new.about:
        note = "the two reports measure different things under this name"
        return ClaimDrift(name, old, new, False, Verdict.UNDECIDED, note)
    has_moved, (change,) = moved((old, new), [(old, new)], level)
    turned = f"{old.verdict} before, {new.verdict} now"
    bound = "" if old.text == new.text else f"; it was: {old.text}"
    if has_moved or {old.verdict, new.verdict} == {Verdict.HOLDS, Verdict.FAILS}:
        said = ["the value moved"] * has_moved + [turned] * (old.verdict != new.verdict)
        return ClaimDrift(name, old, new, has_moved, Verdict.FAILS, "; ".join(said) + bound, change)
    if old.verdict != new.verdict:
        note = f"{turned}, and the value did not move{bound}"
        return ClaimDrift(name, old, new, False, Verdict.UNDECIDED, note, change)
    return ClaimDrift(name, old, new, False, Verdict.HOLDS, bound.removeprefix("; "), change)


def moved(
    standings: Sequence[Standing], pairs: Sequence[tuple[Standing, Standing]], level: float
) -> tuple[bool, tuple[Estimate | None, ...]]:
    """Whether a value moved between any two of some reports, and by how much it changed in each of some ``pairs`` of
    them on the same prompts, None where that is not to be had.

    Intervals that do not meet say so, and what became of the prompts of a pair. Where any pair can be compared so, each
    of the two rules has half of the level, and pairs share theirs.
    """
    intervals = [each.interval for each in standings]
    paired = [_paired(*pair) for pair in pairs]
    if not any(paired):
        return apart(intervals, level), (None,) * len(pairs)
    from circuitdsl.judge.paired import difference  # here, since it loads scipy

    share = level / 2 / len(pairs)
    changes = tuple(both and difference(*both, share) for both in paired)
    told = any(change and _beyond(change, *pair) for change, pair in zip(changes, pairs, strict=True))
    return told or apart(intervals, level / 2), changes


def _paired(old: Standing, new: Standing) -> tuple[Singles, Singles] | None:
    """What both tell of the same prompts."""
    before, now = old.singles, new.singles
    return (before, now) if before is not None and now is not None and alike(before, now) else None


def _beyond(change: Estimate, old: Standing, new: Standing) -> bool:
    """Whether a change is surely more than the margin."""
    margin = MARGIN * max(1.0, *(abs(each.estimate.value or 0.0) for each in (old, new)))
    low, high = change.low, change.high
    return (low is not None and low > margin) or (high is not None and high < -margin)
