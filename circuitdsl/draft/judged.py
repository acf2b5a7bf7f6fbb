"""A draft's claims on the prompts that it was not made from; what does not hold there is taken out.

No bound is moved: a claim stands as it was made, or it goes. With a sender goes its edge; a node whose edges are all
gone is in no role any more, and the claims about that role are then made anew from the finding prompts, for the nodes
that are left. This is done until everything that is claimed holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE
from circuitdsl.draft.lines import Line, Sketch
from circuitdsl.draft.writing import Body
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome import ClaimOutcome, Performance
from circuitdsl.outcome.draft import Refused
from circuitdsl.plan.circuit import performance_job, plan_circuit
from circuitdsl.plan.job import Started


@dataclass(frozen=True)
class Confirmed:
    """A draft all of whose claims hold on the judging prompts, and what was taken out for it."""

    sketch: Sketch
    text: str
    circuit: Circuit
    performance: Performance
    refused: tuple[Refused, ...]
    claims: tuple[ClaimOutcome, ...]


Written = Callable[[Body], tuple[str, Circuit]]
"""A body as a text, and the circuit that the text means."""

Stated = Callable[[Sketch], Body]
"""All that is claimed of a sketch, by the finding prompts."""


def confirmed(sketch: Sketch, stated: Stated, written: Written, bench: Bench) -> Confirmed:
    """Judge, take out, and judge again."""
    refused: dict[str, Refused] = {}
    while True:
        body = _less(stated(sketch), refused)
        text, circuit = written(body)
        performance, claims = _judged(circuit, bench)
        pairs = list(zip(body.lines(), claims, strict=True))
        failed = {line.text: (line, claim) for line, claim in pairs if claim.verdict is not Verdict.HOLDS}
        if not failed:
            return Confirmed(sketch, text, circuit, performance, tuple(refused.values()), claims)
        refused |= {text: Refused(text, claim.verdict, claim.estimate) for text, (_, claim) in failed.items()}
        sketch = sketch.without([fed for line, _ in failed.values() for fed in line.fed])


def _less(body: Body, refused: dict[str, Refused]) -> Body:
    """The body without the lines that were refused, which it lists."""

    def left(lines: list[Line] | tuple[Line, ...]) -> list[Line]:
        return [line for line in lines if line.text not in refused]

    return Body(
        roles=[(role, left(list(lines))) for role, lines in body.roles],
        edges={into: left(list(lines)) for into, lines in body.edges.items()},
        whole=left(list(body.whole)),
        refused=tuple(refused.values()),
        lacks=body.lacks,
    )


def _judged(circuit: Circuit, bench: Bench) -> tuple[Performance, tuple[ClaimOutcome, ...]]:
    performance = bench.performance(Started(performance_job(circuit)), circuit.method.measured)
    reason = "" if performance.verdict is Verdict.HOLDS else NOT_DONE
    claims = plan_circuit(circuit, unexplained=False).claims
    return performance, bench.judge(claims, dict.fromkeys(claims, reason))
