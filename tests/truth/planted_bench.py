"""Judging single claims of the planted specs, or of texts made from them, with one session a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import torch

from circuitdsl import api
from circuitdsl.check import bench as one_model
from circuitdsl.check.intervention import check_intervention
from circuitdsl.check.overlap import judge_overlap
from circuitdsl.compare.structure import compare
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import Reference, prompts_wanted, reference_over, reference_seed
from circuitdsl.engine.session import Engine, Session
from circuitdsl.language.circuit import Circuit, Claim, Document, Intervention
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.experiments import Mean
from circuitdsl.models import Model, open_model
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.vocabulary import word_tokenizer
from circuitdsl.outcome import ClaimOutcome, InterventionReport
from circuitdsl.plan.circuit import claim_job
from circuitdsl.plan.intervention import plan_intervention
from circuitdsl.plan.job import Started
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import Prompt, numbered

torch.set_num_threads(1)

SPECS = Path(__file__).parents[2] / "specs" / "planted"
FIRST, MOST = 30, 240
MEAN_OF = 10  # prompts of a group, half as many as by default
REFERENCE = 3  # where means are made a second time
FUNCTIONAL = ("transfer", "dissociation")  # tests/check/test_function.py has them


def plain_text(spec: str) -> str:
    """A planted spec without comments and alignment, so that its lines can be named in a table."""
    lines = ((SPECS / f"{spec}.circuit").read_text(encoding="utf-8")).splitlines()
    return "\n".join(re.sub(r" +", " ", line.partition("#")[0]).strip() for line in lines)


def resolved(text: str) -> Document:
    """The document of a text, with few prompts at first and more for what stays open, and means of fewer. Raises
    SpecError."""
    document = resolve_text(text, str(SPECS / "changed.circuit"), api.environment())

    def quick(circuit: Circuit) -> Circuit:
        method = replace(circuit.method, prompts_first=FIRST, prompts_most=MOST, reference=MEAN_OF)
        return replace(circuit, method=method)

    return replace(document, circuits=tuple(map(quick, document.circuits)))


@dataclass
class Bench:
    """Experiments are remembered over all tests of a session, so that a changed spec costs only what it changes."""

    engine: Callable[[Model], Engine]
    benches: dict[str, one_model.Bench] = field(default_factory=dict)

    def of(self, model: str) -> one_model.Bench:
        if model not in self.benches:
            session = Session(self.engine(open_model(model)))
            self.benches[model] = one_model.Bench(session)
        return self.benches[model]

    def outcome(self, document: Document, text: str) -> ClaimOutcome:
        """What becomes of the one claim with this text, wherever in the document it stands."""
        for circuit in document.circuits:
            for claim in circuit.claims:
                if claim.text == text:
                    return self.outcomes(circuit, [claim])[0]
        for comparison in document.comparisons:
            for claim in comparison.claims:
                if claim.text == text:
                    left, right = document.circuit(comparison.left), document.circuit(comparison.right)
                    return judge_overlap(claim, compare(left, right, comparison.align), left, right)
        for intervention in document.interventions:
            for outcome in self.intervention(intervention, document.circuit(intervention.on)).claims:
                if outcome.claim.text == text:
                    return outcome
        raise KeyError(f"no claim {text!r} among {[c.text for circuit in document.circuits for c in circuit.claims]}")

    def all_outcomes(self, document: Document) -> dict[Claim, ClaimOutcome]:
        """What becomes of all claims on circuits and interventions, those of a circuit together, as checks judge them,
        and of comparisons in structure."""
        found = [each for circuit in document.circuits for each in self.outcomes(circuit, circuit.claims)]
        for intervention in document.interventions:
            found += self.intervention(intervention, document.circuit(intervention.on)).claims
        for comparison in document.comparisons:
            left, right = document.circuit(comparison.left), document.circuit(comparison.right)
            structure = compare(left, right, comparison.align)
            overlaps = (claim for claim in comparison.claims if claim.term.measure not in FUNCTIONAL)
            found += (judge_overlap(claim, structure, left, right) for claim in overlaps)
        return {outcome.claim: outcome for outcome in found}

    def outcomes(self, circuit: Circuit, claims: Sequence[Claim]) -> tuple[ClaimOutcome, ...]:
        """What becomes of some of a circuit's claims, in their order."""
        return self.of(circuit.model).judge({claim: Started(claim_job(circuit, claim)) for claim in claims})

    def intervention(self, intervention: Intervention, circuit: Circuit) -> InterventionReport:
        """An intervention checked and taken apart."""
        return check_intervention(plan_intervention(intervention, circuit), self.of(circuit.model))


@cache
def drawn(model: str, task: str, count: int) -> tuple[Prompt, ...]:
    """Prompts of a task for a planted model's words; Colored Objects with one scene."""
    tokenizer = word_tokenizer(PLANTED[model]().vocabulary, model)
    arguments = (("shots", 0.0),) if task == "colored_objects" else ()
    return numbered(open_task(TaskRef(task, arguments)).draw(tokenizer, count, seed=0, bos=False).prompts)


def reference_of(model: str, task: str, against: str) -> Reference:
    """The reference of ``reference 3`` for these prompts."""
    tokenizer = word_tokenizer(PLANTED[model]().vocabulary, model)
    arguments = (("shots", 0.0),) if task == "colored_objects" else ()
    opened, source = open_task(TaskRef(task, arguments)), Mean(against, REFERENCE, by_template=True)
    wanted = prompts_wanted(source, len({prompt.template for prompt in drawn(model, task, opened.info.templates)}))
    return reference_over(opened.draw(tokenizer, wanted, reference_seed(0), False).prompts, source)


@cache
def bench(engine: str = "fast") -> Bench:
    """The one bench of a test session for an engine: ``fast``, as checks use by default, or ``plain``."""
    return Bench({"fast": FastEngine, "plain": PlainEngine}[engine])
