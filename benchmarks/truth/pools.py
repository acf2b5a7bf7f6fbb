"""Suites: specifications whose claims are read on a pool of prompts once, and the jobs of their claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.truth.sampling import Pool, Record
from circuitdsl import api
from circuitdsl.engine.base import engines
from circuitdsl.engine.references import drawn_sources
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store
from circuitdsl.language.circuit import Claim, Document
from circuitdsl.measures.experiments import Data, Experiment, Source
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import open_model
from circuitdsl.plan.job import Started

SUITES = Path(__file__).parent / "suites"

LED = ", led"
"""What is added to the name of a measurement whose figures are led by one of several (``calibration.Led``)."""

OTHERS = "others"
"""A role whose members are not calibrated one by one: they are there to make a circuit large."""


@dataclass(frozen=True)
class Suite:
    """Claims of one model, each with its job, that are judged in samples. Their own bounds do not matter."""

    name: str
    claims: Mapping[Claim, Started]

    @property
    def model(self) -> str:
        return next(iter(self.claims.values())).job.model


def suite_names() -> tuple[str, ...]:
    """The suites that there are, one a file."""
    return tuple(sorted(path.stem for path in SUITES.glob("*.circuit")))


def open_suite(name: str, measures: Sequence[str] = ()) -> Suite:
    """A suite by its name, or a specification by the path of its file; of these measurements alone if any is named."""
    path = SUITES / f"{name}.circuit"
    suite = suite_of(name, api.load(str(path if path.is_file() else name)))
    named = {measure.removesuffix(LED) for measure in measures}
    return Suite(name, {c: job for c, job in suite.claims.items() if not named or measure_of(c) in named})


def measure_of(claim: Claim) -> str:
    """What a claim is counted under."""
    return str(claim.term.measure) + (" - baseline" if claim.term.minus_baseline else "")


def suite_of(name: str, document: Document) -> Suite:
    """All claims of a document that need a model, but those of members of roles called ``others``."""
    plan = api.plan(document, unexplained=False)
    blocks = (*plan.circuits, *plan.interventions, *plan.comparisons)
    claims = {claim: job for block in blocks for claim, job in block.claims.items() if claim.role != OTHERS}
    return Suite(name, claims)


def read(suite: Suite, size: int, folder: Path) -> Pool:
    """Everything that a suite asks for, on ``size`` prompts of each task; what the folder's store has is not run again.

    Raises ValueError for what cannot be measured on the pool.
    """
    if not suite.claims:
        return Pool({}, {})
    session = Session(engines()["fast"].open(open_model(suite.model), _untold, 0), Store.in_folder(folder))
    for job in suite.claims.values():
        if isinstance(job.first, Failure):
            raise ValueError(f"suite {suite.name}: {job.first.message}")
    asked = tuple(dict.fromkeys(each for job in suite.claims.values() for each in job.experiments))
    columns: dict[Experiment, Array] = {}
    for experiment, result in session.run(asked, size).items():
        if isinstance(result, Failure):
            raise ValueError(f"suite {suite.name}: {result.message}")
        columns[experiment] = result
    sources = {each.data: source for each in asked for source in drawn_sources(each.world)}
    return Pool(columns, {each: _records(session, each, sources.get(each), size) for each in {e.data for e in asked}})


def _records(session: Session, data: Data, source: Source | None, size: int) -> tuple[Record, ...]:
    groups = session.groups(data, source, size)
    return tuple(
        Record(prompt.template, group=group) for prompt, group in zip(session.prompts(data, size), groups, strict=True)
    )


def _untold(prompts: int) -> None:
    """A count of prompts that nobody waits for."""
