"""``pytest circuits/``: every claim of a ``.circuit`` file is a test.

An entry point of pytest (``pytest11``), so that nothing but the standard library and pytest is imported until a
specification is collected. Claims of one file that a run selects are checked together, at the first of them; others of
the file are not measured. A claim that fails or cannot be measured is a failure, an undecided one is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from circuitdsl.language.circuit import Claim, Document
    from circuitdsl.outcome import ClaimOutcome

_SUFFIX = ".circuit"


class ClaimDoesNotHold(Exception):
    """What was measured, what was wanted, and what to try next: shown without a traceback."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("circuitdsl", "claims of .circuit files (circuitdsl)")
    group.addoption("--circuit-model", metavar="MODEL", help="check on this model in place of the files' own")
    group.addoption("--circuit-prompts", metavar="N", type=int, help="measure on exactly this many prompts")
    group.addoption("--circuit-device", metavar="DEVICE", help="where models run: cpu, cuda, cuda:1, mps")
    group.addoption(
        "--circuit-undecided", choices=("skip", "fail"), default="skip", help="what a claim is that is undecided"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CircuitFile | None:
    return CircuitFile.from_parent(parent, path=file_path) if file_path.suffix == _SUFFIX else None


class CircuitFile(pytest.File):
    """A specification; a test for each of its claims, called by the claim's id."""

    def collect(self) -> Iterator[ClaimTest]:
        for claim in claims_of(self.document):
            yield ClaimTest.from_parent(self, name=claim.id, claim=claim)

    @cached_property
    def document(self) -> Document:
        """The file, read against the model that is asked for. Raises CollectError with all that is wrong in it."""
        import circuitdsl as cd

        try:
            return cd.load(self.path, model=self.config.getoption("--circuit-model"))
        except InputError as error:
            raise self.CollectError(str(error)) from error

    @cached_property
    def outcomes(self) -> Mapping[str, ClaimOutcome]:
        """What became of the claims that this run selects, by their ids. Raises InputError."""
        import circuitdsl as cd

        wanted = {item.claim.id for item in self.session.items if isinstance(item, ClaimTest) and item.parent is self}
        report = cd.check(
            only(self.document, wanted),
            self.config.getoption("--circuit-model"),
            prompts=self.config.getoption("--circuit-prompts"),
            device=self.config.getoption("--circuit-device"),
            unexplained=False,
        )
        return {outcome.claim.id: outcome for outcome in report.outcomes}


class ClaimTest(pytest.Item):
    """A claim."""

    def __init__(self, *, claim: Claim, **named: Any) -> None:
        super().__init__(**named)
        self.claim = claim
        self.funcargs: dict[str, object] = {}  # other plug-ins ask every test for its fixtures

    def runtest(self) -> None:
        assert isinstance(self.parent, CircuitFile)
        outcome = self.parent.outcomes[self.claim.id]
        match str(outcome.verdict), self.config.getoption("--circuit-undecided"):
            case "holds", _:
                return
            case "undecided", "skip":
                raise pytest.skip.Exception(_said(outcome), _use_item_location=True)
            case _:
                raise ClaimDoesNotHold("\n".join((_said(outcome), *_tries(outcome, self.path))))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason alone, of a claim that does not hold and of input that is wrong."""
        if isinstance(excinfo.value, ClaimDoesNotHold | InputError):
            return f"{self.path}:{self.claim.line}: {self.claim.text}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.claim.line - 1, self.claim.text


def claims_of(document: Document) -> Iterator[Claim]:
    """The claims of a document, in its order."""
    for block in (*document.circuits, *document.comparisons, *document.interventions):
        yield from block.claims


def only(document: Document, wanted: Iterable[str]) -> Document:
    """The document with none but these claims; circuits that then claim nothing are only referred to."""
    ids = frozenset(wanted)

    def kept(claims: Iterable[Claim]) -> tuple[Claim, ...]:
        return tuple(claim for claim in claims if claim.id in ids)

    circuits = [replace(circuit, claims=kept(circuit.claims)) for circuit in document.circuits]
    comparisons = (replace(each, claims=kept(each.claims)) for each in document.comparisons)
    interventions = (replace(each, claims=kept(each.claims)) for each in document.interventions)
    return replace(
        document,
        circuits=tuple(circuit for circuit in circuits if circuit.claims),
        comparisons=tuple(each for each in comparisons if each.claims),
        interventions=tuple(each for each in interventions if each.claims),
        used=(*document.used, *(circuit for circuit in circuits if not circuit.claims)),
    )


def _said(outcome: ClaimOutcome) -> str:
    from circuitdsl.report.words import measured_and_wanted

    return f"{outcome.verdict}: {measured_and_wanted(outcome)}"


def _tries(outcome: ClaimOutcome, path: Path) -> Iterator[str]:
    from circuitdsl.report.remedies import remedies

    yield from (f"try: {each}" for each in remedies(outcome, path.name))
