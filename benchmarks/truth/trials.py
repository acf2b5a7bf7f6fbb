"""Random relays checked whole, by ``circuitdsl.check``, and what was found compared with what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.truth.counts import LEVELS
from benchmarks.truth.relay import Relay, random_relay
from benchmarks.truth.relay_claims import Spec, is_true, random_spec, truth_of
from circuitdsl import api
from circuitdsl.components import Head
from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import CircuitReport, ClaimOutcome

COUNTS = (20, 60, 200)
REFERENCE = 240
"""Prompts that a file has beyond those that are measured, for means to be taken over."""

EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where classes of true effects begin, as shares of F; the first is the method's floor."""

SLACK = 1e-3
"""How exactly the truth is known, as a share of F: attention is not quite settled."""

NOISY = 0.008
"""The same with noise in the weights."""


@dataclass
class Tally:
    """What was counted, by name. Names are written as ``prompts/kind/what``."""

    of: Counter[str] = field(default_factory=Counter)

    def count(self, *name: object, by: int = 1) -> None:
        self.of["/".join(map(str, name))] += by


def trials(seeds: Iterable[int]) -> dict[str, int]:
    """Check a random relay for each seed, and count."""
    tally = Tally()
    for seed in seeds:
        _trial(seed, tally)
    return dict(tally.of)


def _trial(seed: int, tally: Tally) -> None:
    prompts = COUNTS[seed % len(COUNTS)]
    relay = random_relay(seed)
    spec = random_spec(relay, seed, prompts)
    with TemporaryDirectory() as folder:
        (Path(folder) / "prompts.jsonl").write_text(relay.prompts(prompts + REFERENCE, seed), encoding="utf-8")
        report = api.check(spec.resolved(Path(folder)), model=relay.build(), store=False)
    (circuit,) = report.circuits
    tally.count(prompts, "models")
    wrong = [outcome for outcome in circuit.claims if _count_claim(outcome, circuit, spec, tally) is False]
    if wrong:
        tally.count(prompts, "models with a false verdict")
    _count_found(circuit, spec, tally)


def _count_claim(outcome: ClaimOutcome, circuit: CircuitReport, spec: Spec, tally: Tally) -> bool | None:
    """Count a verdict; whether it is right, None where it says nothing."""
    claim, verdict, prompts = outcome.claim, outcome.verdict, spec.prompts
    truth = truth_of(claim, circuit.circuit, spec.relay)
    if truth is None:
        tally.count(prompts, "random heads", verdict)
        _count_p(outcome, tally, prompts, "random heads")
        return None
    slack = _slack(spec.relay, truth if claim.term.measure == "logit_diff" else 1.0)
    true = is_true(claim, truth, slack)
    if true is None:
        tally.count(prompts, "near the bound")
        return None
    kind = claim.kind if claim.kind != "expect" else claim.term.measure
    tally.count(prompts, kind, "true" if true else "false", verdict)
    if true and claim.kind in ("edge", "member"):
        tally.count(prompts, "detected", size_of(truth), claim.kind, verdict)
    if not true:
        _count_p(outcome, tally, prompts, "false")
    if verdict not in (Verdict.HOLDS, Verdict.FAILS):
        return None
    return true == (verdict is Verdict.HOLDS)


def _slack(relay: Relay, scale: float) -> float:
    return (SLACK if relay.noise == 0 else NOISY) * abs(scale)


def _count_p(outcome: ClaimOutcome, tally: Tally, *name: object) -> None:
    if outcome.p_value is None:
        return
    tally.count(*name, "p-values")
    for level in LEVELS:
        if outcome.p_value <= level:
            tally.count(*name, "p", level)


def size_of(effect: float) -> str:
    """The class of an effect's size: where it begins, "0" below the floor."""
    return f"{max((edge for edge in EDGES if abs(effect) >= edge), default=0):g}"


def _count_found(circuit: CircuitReport, spec: Spec, tally: Tally) -> None:
    """Heads that the search for those that are not listed found, and should have."""
    relay, prompts = spec.relay, spec.prompts
    listed = set(circuit.circuit.heads)
    found = {_head(row.head): row.estimate.value or 0.0 for row in circuit.unexplained}
    floor = circuit.circuit.method.floor
    for head in _all_heads(relay):
        if head in listed:
            continue
        truth = relay.lost({head})
        slack = _slack(relay, 1.0)
        if floor - slack < abs(truth) < floor + slack:
            continue
        if abs(truth) < floor:
            tally.count(prompts, "search", "false found" if head in found else "false left")
        else:
            tally.count(prompts, "search", "true found" if head in found else "true left", size_of(truth))
            if head in found:  # in whole thousandths, since counts are whole
                tally.of[f"{prompts}/search/found size"] += round(1000 * abs(found[head]))
                tally.of[f"{prompts}/search/true size"] += round(1000 * abs(truth))
    tally.count(prompts, "search", "models")
    if any(abs(relay.lost({head})) < floor - _slack(relay, 1.0) for head in found):
        tally.count(prompts, "search", "models with a false head")


def _all_heads(relay: Relay) -> Sequence[Head]:
    return sorted({*relay.others, *(head for stage in relay.stages for head in stage.heads)})


def _head(written: str) -> Head:
    layer, index = written.split(".")
    return Head(int(layer), int(index))
