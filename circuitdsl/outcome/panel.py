"""The same claims of many models, or of many checkpoints of one: how each claim stood in each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.singles import Singles
from circuitdsl.models.listing import ListedModel
from circuitdsl.outcome.claims import EXIT_INPUT, exit_code
from circuitdsl.outcome.drift import LEVEL, Recorded, Standing, moved
from circuitdsl.outcome.frames import frame
from circuitdsl.outcome.ran import Cost
from circuitdsl.visible import shown_fingerprint

if TYPE_CHECKING:
    from pandas import DataFrame

Trend = Literal["changed", "open", "same"]
CHANGES: tuple[Trend, ...] = get_args(Trend)
SCHEMA = "circuitdsl/panel/2"
"""Which contract the JSON of a panel obeys: docs/panel.schema.json."""

MOST_TOLD = 20_000
"""The JSON of more figures, claims by models, does not tell them prompt by prompt: it could not be read again."""

_NO_COST = Cost(0, 0, 0.0)


@dataclass(frozen=True)
class Unmeasured:
    """Why a model has no figures, what to do about it, and the exit code of that: 2 for what cannot be opened, 4 for
    what could not be run."""

    problem: str
    remedy: str
    code: int

    def to_dict(self) -> dict[str, object]:
        return {"problem": self.problem, "remedy": self.remedy, "code": self.code}


@dataclass(frozen=True)
class PanelColumn:
    """A model of a panel: ``found`` is what its report says of the claims, or why there is none."""

    model: ListedModel
    found: Recorded | Unmeasured
    cost: Cost = _NO_COST
    seconds: float = 0.0

    @property
    def label(self) -> str:
        return self.model.label

    @property
    def standings(self) -> dict[str, Standing]:
        return dict(self.found.claims) if isinstance(self.found, Recorded) else {}

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the weights of its circuits: one, unless they are processed in different ways."""
        if isinstance(self.found, Unmeasured):
            return ()
        return tuple(dict.fromkeys(each for each, _ in self.found.weights.values() if each))

    def to_dict(self) -> dict[str, object]:
        found = self.found
        return {
            "label": self.label,
            "name": self.model.name,
            "revision": self.model.revision,
            "step": self.model.step,
            "fingerprints": list(self.fingerprints),
            "facts": dict(found.facts) if isinstance(found, Recorded) else {},
            "weights": {} if isinstance(found, Unmeasured) else _named(found.weights),
            "error": found.to_dict() if isinstance(found, Unmeasured) else None,
            "cost": self.cost.to_dict(),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class PanelClaim:
    """A claim over all models, in their order: None where a model has no report or its report lacks the claim.

    ``moved``: its value is not the same in all, with the level of all figures of the panel taken together.
    """

    id: str
    standings: tuple[Standing | None, ...]
    moved: bool

    @cached_property
    def first(self) -> Standing:
        """How it stands in the first model that has it."""
        return next(each for each in self.standings if each is not None)

    @property
    def verdicts(self) -> tuple[Verdict | None, ...]:
        return tuple(None if each is None else each.verdict for each in self.standings)

    @property
    def turned(self) -> bool:
        """Whether it holds in one model and fails in another."""
        return {Verdict.HOLDS, Verdict.FAILS} <= set(self.verdicts)

    @property
    def change(self) -> Trend:
        """What is known of its being the same in all models; one that is undecided in some and not in others may be."""
        if self.moved or self.turned:
            return "changed"
        return "open" if len(set(self.verdicts) - {None}) > 1 else "same"

    @property
    def holds_from(self) -> int | None:
        """The place of the first model from which on it holds in every one that was measured; None where it does not
        hold in the last."""
        place = None
        for number, verdict in reversed(list(enumerate(self.verdicts))):
            if verdict is Verdict.HOLDS:
                place = number
            elif verdict is not None:
                break
        return place


@dataclass(frozen=True, repr=False)
class Panel(Displayed):
    """The same specification checked on many models: claims by models, in the order of the specification.

    ``versions`` are those of the packages that measured it.
    """

    columns: tuple[PanelColumn, ...]
    claims: tuple[PanelClaim, ...]
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict[str, str])

    def __getitem__(self, label: str) -> Recorded:
        """What the report of the model that is called so says, for ``cd.drift``. Raises KeyError."""
        for column in self.columns:
            if column.label == label and isinstance(column.found, Recorded):
                return column.found
        raise KeyError(label)

    @property
    def by_step(self) -> bool:
        """Whether every model has a step, so that steps are an axis."""
        return all(column.model.step is not None for column in self.columns)

    @property
    def changed_first(self) -> tuple[PanelClaim, ...]:
        """The claims, those first that changed, then those of which it cannot be told."""
        return tuple(claim for change in CHANGES for claim in self.claims if claim.change == change)

    @property
    def summary(self) -> dict[str, int]:
        """How many figures there are of each verdict: of every claim in every model."""
        verdicts = [verdict for claim in self.claims for verdict in claim.verdicts]
        return {str(verdict): verdicts.count(verdict) for verdict in Verdict}

    @property
    def errors(self) -> tuple[tuple[str, Unmeasured], ...]:
        """The models that have no figures, by their labels."""
        return tuple((each.label, each.found) for each in self.columns if isinstance(each.found, Unmeasured))

    @property
    def exit_code(self) -> int:
        """2 if a model could not be opened, 4 if one could not be run; else as ``check``, over all claims of all."""
        codes = [error.code for _, error in self.errors]
        if EXIT_INPUT in codes:
            return EXIT_INPUT
        verdicts = (each for claim in self.claims for each in claim.verdicts if each is not None)
        return max(codes) if codes else exit_code(verdicts)

    @property
    def cost(self) -> Cost:
        """The work on all models."""
        return Cost(
            experiments=sum(each.cost.experiments for each in self.columns),
            prompt_passes=sum(each.cost.prompt_passes for each in self.columns),
            passes=round(sum(each.cost.passes for each in self.columns), 2),
            kept=sum(each.cost.kept for each in self.columns),
            planned=round(sum(each.cost.planned for each in self.columns), 2),
            plain=round(sum(each.cost.plain for each in self.columns), 2),
        )

    @property
    def seconds(self) -> float:
        return sum(column.seconds for column in self.columns)

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a claim and model: the statement, the model and its step, the estimate, the verdict."""
        for claim in self.claims:
            for column, standing in zip(self.columns, claim.standings, strict=True):
                if standing is not None:
                    yield {
                        "block": standing.block,
                        "id": claim.id,
                        "text": standing.text,
                        "unit": standing.unit,
                        "model": column.label,
                        "step": column.model.step,
                        **standing.estimate.to_dict(),
                        "verdict": str(standing.verdict),
                        "prompts": standing.prompts,
                    }

    def to_frame(self) -> DataFrame:
        """The rows as a pandas frame. Raises InputError where pandas is not installed."""
        return frame(self.rows())

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
            "cost": self.cost.to_dict(),
            "level": LEVEL,
            "exit": self.exit_code,
            "notes": list(self.notes),
            "models": [column.to_dict() for column in self.columns],
            "claims": [self._claim(claim) for claim in self.changed_first],
            "summary": self.summary,
            "prompts": {each.prompts.key: each.prompts.to_dict() for each in self._singles},
        }

    @property
    def _tells(self) -> bool:
        return len(self.claims) * len(self.columns) <= MOST_TOLD

    @property
    def _singles(self) -> Iterator[Singles]:
        """The figures that the JSON tells prompt by prompt."""
        if self._tells:
            standings = (each for claim in self.claims for each in claim.standings)
            yield from (each.singles for each in standings if each is not None and each.singles is not None)

    def _claim(self, claim: PanelClaim) -> dict[str, object]:
        start = claim.holds_from
        return {
            "id": claim.id,
            "block": claim.first.block,
            "text": claim.first.text,
            "unit": claim.first.unit,
            "change": claim.change,
            "moved": claim.moved,
            "turned": claim.turned,
            "holds_from": None if start is None else self.columns[start].label,
            "standings": [None if each is None else self._standing(each) for each in claim.standings],
        }

    def _standing(self, each: Standing) -> dict[str, object]:
        bound = each.bound and {"op": each.bound.op, "low": each.bound.low, "high": each.bound.high}
        singles = each.singles.to_dict() if each.singles and self._tells else None
        return each.to_dict() | {"note": each.note, "about": each.about, "bound": bound, "singles": singles}


def _named(weights: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """The weights of circuits, each with its fingerprint and what it was called."""
    return {circuit: {"fingerprint": each, "name": name} for circuit, (each, name) in weights.items()}


def panel_of(columns: Sequence[PanelColumn], versions: dict[str, str]) -> Panel:
    """Reports of many models side by side: in the order of their steps, if all have one.

    The level of moves is shared by all claims, and within a claim by its models, so that it is that of the whole panel:
    a value is said to have moved between any two models with that probability at most where none did.
    """
    if all(column.model.step is not None for column in columns):
        columns = sorted(columns, key=lambda column: column.model.step or 0.0)
    ids = tuple(dict.fromkeys(name for column in columns for name in column.standings))
    table = [column.standings for column in columns]
    claims = tuple(_claim(name, [has.get(name) for has in table], LEVEL / len(ids)) for name in ids)
    return Panel(tuple(columns), claims, tuple(_same_weights(columns)), versions)


def _claim(name: str, standings: Sequence[Standing | None], level: float) -> PanelClaim:
    known = [each for each in standings if each is not None and each.verdict is not Verdict.ERROR]
    alike = len({each.about for each in known}) <= 1  # else they are different figures under one name
    return PanelClaim(name, tuple(standings), alike and len(known) > 1 and moved(known, _ends(known), level)[0])


def _ends(known: Sequence[Standing]) -> list[tuple[Standing, Standing]]:
    """Each model with the first and with the last: if a value is the same in all of these pairs, it is so in all."""
    first, *between, last = known
    return [(first, last), *((first, each) for each in between), *((each, last) for each in between)]


def _same_weights(columns: Sequence[PanelColumn]) -> Iterator[str]:
    """That one set of weights goes by several names."""
    called: dict[tuple[str, ...], list[str]] = {}
    for column in columns:
        if column.fingerprints:
            called.setdefault(column.fingerprints, []).append(column.label)
    for fingerprints, labels in called.items():
        if len(labels) > 1:
            yield f"{', '.join(labels)}: {len(labels)} names of the same weights ({shown_fingerprint(fingerprints[0])})"
