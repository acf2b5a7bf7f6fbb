"""A circuit checked on a model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Circuit, Method
from circuitdsl.language.controls import KNOWN, control_of
from circuitdsl.outcome.claims import ClaimOutcome, exit_code
from circuitdsl.outcome.examples import Examples


@dataclass(frozen=True)
class Performance:
    """Whether the model does the circuit's task: the method's metric F and the accuracy without any patch.

    ``above_chance`` is what tells F from chance (``measures.performance``), and ``verdict`` whether both it and F are
    above zero. Where that does not hold, a share of F means nothing.
    """

    metric: Estimate
    accuracy: Estimate
    above_chance: Estimate
    verdict: Verdict
    confidence: float
    prompts: int
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "metric": self.metric.to_dict(),
            "accuracy": self.accuracy.to_dict(),
            "above_chance": self.above_chance.to_dict(),
            "verdict": str(self.verdict),
            "confidence": self.confidence,
            "prompts": self.prompts,
            "note": self.note,
        }


@dataclass(frozen=True)
class HeadOutcome:
    """The knockout effect of one node: (F_ablated - F) / |F|; and its minimality, what it adds to the circuit.

    Only nodes of the circuit have a minimality.
    """

    head: str
    position: str
    roles: tuple[str, ...]
    estimate: Estimate
    minimality: Estimate | None = None

    def to_dict(self) -> dict[str, object]:
        return {
            "head": self.head,
            "position": self.position,
            "roles": list(self.roles),
            "effect": self.estimate.value,
            "low": self.estimate.to_dict()["low"],
            "high": self.estimate.to_dict()["high"],
            "minimality": self.minimality.to_dict() if self.minimality else None,
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
class Search:
    """How heads that are not listed were looked for: so many of them on so many prompts, look by look.

    ``miss`` is how often each head that would be found by measuring all of them on all prompts is lost by a race over
    these looks, at most (``judge.race``); 0 where there was a single look. It does not hold of a head that matters on a
    smaller share of prompts than ``rare``, unless its estimate to first order shows it: the first look's prompts may
    have none of these. ``fresh`` is the number of prompts, none of which they were found by, on which the figures of
    those that were found were measured; 0 where there were none.
    """

    looks: tuple[tuple[int, int], ...]
    miss: float
    rare: float
    fresh: int

    def to_dict(self) -> dict[str, object]:
        looks = [{"prompts": prompts, "heads": heads} for prompts, heads in self.looks]
        return {"looks": looks, "miss": self.miss, "rare": self.rare, "fresh": self.fresh}


@dataclass(frozen=True)
class ReferenceSize:
    """What ablation took its values from: how many groups, and prompts in a group, the fewest and the most.

    ``templates`` have groups of their own; None where all prompts are taken together. ``resampled``: values are outputs
    on single prompts of a group, not means over it.
    """

    resampled: bool
    templates: int | None
    groups: tuple[int, int]
    prompts: tuple[int, int]

    def to_dict(self) -> dict[str, object]:
        return {
            "resampled": self.resampled,
            "templates": self.templates,
            "groups": list(self.groups),
            "prompts": list(self.prompts),
        }


@dataclass(frozen=True)
class Tried:
    """A control that a claim of a circuit tries (``language.controls``), which it passed if the claim holds."""

    name: str
    outcome: ClaimOutcome

    def to_dict(self) -> dict[str, object]:
        claim = self.outcome.claim
        return {
            "name": self.name,
            "claim": claim.id,
            "line": claim.line,
            "text": claim.text,
            "verdict": str(self.outcome.verdict),
        }


def method_facts(method: Method, without: Collection[str] = ()) -> dict[str, object]:
    """How something was measured and judged, by the names of the settings, ``without`` some of them."""
    facts: dict[str, object] = {
        "metric": method.metric,
        "against": method.against,
        "ablate": method.ablate,
        "reference": method.reference,
        "prompts": [method.prompts_first, method.prompts_most],
        "prompts_all": method.prompts_all,
        "positions": method.positions,
        "floor": method.floor,
        "confidence": method.confidence,
        "seed": method.seed,
        "bos": method.bos,
        "members": method.members,
        "errors": method.errors,
    }
    return {name: value for name, value in facts.items() if name not in without}


@dataclass(frozen=True, kw_only=True)
class OnModel:
    """What was found on one model and one task, which are those of ``circuit``.

    ``fingerprint`` is the SHA-256 of the weights as they were used (``models.Model.fingerprint``), ``revision`` the one
    that was asked for, if one was. ``reference`` says what the method's ablation took its values from, if from a
    reference.
    """

    circuit: Circuit
    model: str
    processing: str  # how the weights were processed, in words
    performance: Performance | None
    fingerprint: str = ""
    revision: str | None = None
    reference: ReferenceSize | None = None
    notes: tuple[str, ...] = ()  # what the task had to leave out with this tokenizer

    def model_dict(self) -> dict[str, object]:
        """The entries of a report's JSON that say which weights were used."""
        return {
            "model": self.model,
            "fingerprint": self.fingerprint,
            "revision": self.revision,
            "processing": self.processing,
        }


@dataclass(frozen=True, kw_only=True)
class CircuitReport(OnModel):
    """A circuit checked on a model. ``unexplained`` are heads outside it whose knockout effect exceeds the floor.

    ``search`` says how unexplained heads were looked for, if they were, and ``screening`` how that was screened, if it
    was. ``examples`` are single prompts, where they were asked for.
    """

    prompts: int
    claims: tuple[ClaimOutcome, ...]
    performance: Performance | None = None
    heads: tuple[HeadOutcome, ...] = ()
    unexplained: tuple[HeadOutcome, ...] = ()
    unexplained_note: str = ""
    search: Search | None = None
    screening: Screening | None = None
    example: str = ""  # one prompt, for people
    examples: Examples | None = None
    identity: str = ""  # of all that outputs depend on (``models.Model.identity``): the tokenizer too

    @property
    def exit_code(self) -> int:
        """That of the verdicts of its claims."""
        return exit_code(outcome.verdict for outcome in self.claims)

    @property
    def first(self) -> int:
        """The prompts on which heads are measured, and variants of claims. Claims may take more, and F may where it is
        hardly above chance."""
        return min(self.prompts, self.circuit.method.prompts_first)

    @property
    def controls(self) -> tuple[Tried, ...]:
        """The controls that claims try, in the order of the known ones."""
        tried = [Tried(name, outcome) for outcome in self.claims if (name := control_of(outcome.claim))]
        return tuple(sorted(tried, key=lambda each: KNOWN.index(each.name)))

    @property
    def untried(self) -> tuple[str, ...]:
        """The known controls that no claim tries."""
        tried = {each.name for each in self.controls}
        return tuple(name for name in KNOWN if name not in tried)

    def to_dict(self) -> dict[str, object]:
        """Its JSON, one of ``circuits`` in docs/report.schema.json."""
        return {
            "name": self.circuit.name,
            "file": self.circuit.file,
            **self.model_dict(),
            "identity": self.identity,
            "task": str(self.circuit.task),
            "prompts": self.prompts,
            "method": method_facts(self.circuit.method),
            "dictionaries": [dictionary.to_dict() for dictionary in self.circuit.dictionaries],
            "reference": self.reference.to_dict() if self.reference else None,
            "exit": self.exit_code,
            "performance": self.performance.to_dict() if self.performance else None,
            "claims": [outcome.to_dict() for outcome in self.claims],
            "controls": {"tried": [each.to_dict() for each in self.controls], "untried": list(self.untried)},
            "heads": [head.to_dict() for head in self.heads],
            "unexplained": [head.to_dict() for head in self.unexplained],
            "unexplained_note": self.unexplained_note,
            "search": self.search.to_dict() if self.search else None,
            "screening": self.screening.to_dict() if self.screening else None,
            "examples": self.examples.to_dict() if self.examples else None,
            "notes": list(self.notes),
        }
