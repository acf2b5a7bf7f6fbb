"""The jobs of a circuit: its claims, the same under varied methods, the table of heads, and the search for others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from circuitdsl.components import ALL, Head, Node, all_heads
from circuitdsl.language.circuit import READ_AT, Circuit, Claim, Control, Method, OnTask, ReadAt, Term
from circuitdsl.measures.ablation import sketched_knockout, what_it_keeps
from circuitdsl.measures.experiments import has_gradient
from circuitdsl.measures.figures import figure_of
from circuitdsl.measures.measurement import Request
from circuitdsl.measures.performance import performance, where_done
from circuitdsl.measures.registry import measure_infos
from circuitdsl.plan.examples import ExamplesPlan, plan_examples
from circuitdsl.plan.job import Job, Purpose, Started
from circuitdsl.plan.terms import ask, control_of, knockout_job, node_job, term_job


@dataclass(frozen=True)
class CircuitPlan:
    """What checking a circuit runs. ``searched``: heads that matter and are not listed are looked for.

    ``performance`` is whether the model does the task, by the position after which the answer is read.
    ``heads`` is what the model loses without each listed head, ``minimality`` what it adds to the circuit. ``whole`` is
    what the circuit keeps of the metric, under each method by which heads are judged by what they add. ``examples`` is
    what is read of single prompts, if some are to be shown. ``sketches`` are estimates of what is measured of the
    ``unlisted``, where they save more than they cost.
    """

    circuit: Circuit
    performance: Mapping[str, Started]
    claims: Mapping[Claim, Started]
    variants: Mapping[Claim, tuple[Started, ...]]
    heads: Mapping[Node, Started]
    unlisted: Mapping[Node, Started]
    searched: bool
    minimality: Mapping[Node, Started] = field(default_factory=dict[Node, Started])
    whole: Mapping[Method, Started] = field(default_factory=dict[Method, Started])
    examples: ExamplesPlan | None = None
    sketches: Mapping[Node, Started] = field(default_factory=dict[Node, Started])

    def jobs(self) -> Iterator[Started]:
        """All of them, in the order in which a plan lists them."""
        yield from self.performance.values()
        yield from self.claims.values()
        for variants in self.variants.values():
            yield from variants
        yield from self.whole.values()
        yield from self.heads.values()
        yield from self.minimality.values()
        if self.examples is not None:
            yield self.examples.served
        yield from self.sketches.values()
        yield from self.unlisted.values()


def plan_circuit(circuit: Circuit, unexplained: bool, examples: bool = False) -> CircuitPlan:
    """Start every job of a circuit; ``unexplained`` looks for heads that matter and are not listed, ``examples`` reads
    single prompts to be shown."""
    return CircuitPlan(
        circuit,
        {at: Started(job) for at, job in performance_jobs(circuit).items()},
        {claim: Started(claim_job(circuit, claim)) for claim in circuit.claims},
        {claim: tuple(map(Started, variant_jobs(circuit, claim))) for claim in circuit.claims},
        {node: Started(job) for node, job in head_jobs(circuit).items()},
        {node: Started(job) for node, job in unlisted_jobs(circuit).items()} if unexplained else {},
        unexplained,
        {node: Started(job) for node, job in minimality_jobs(circuit).items()},
        {method: Started(job) for method, job in whole_jobs(circuit).items()},
        plan_examples(circuit) if examples else None,
        {node: Started(job) for node, job in sketch_jobs(circuit).items()}
        if unexplained and worth_sketching(len(_unlisted(circuit)), circuit.method)
        else {},
    )


def performance_jobs(circuit: Circuit) -> Mapping[str, Job]:
    """Whether the model does the circuit's task, by the position after which the answer is read: that of the method,
    and every other at which a claim, or a variant of one, is of the metric."""
    infos = measure_infos()
    claims = [claim for claim in circuit.claims if infos[claim.term.measure].of_metric]
    methods = (circuit.method, *(varied(circuit.method, *each) for each in circuit.method.vary))
    jobs = {circuit.method.at: performance_job(circuit)}
    for method in methods:
        for at in dict.fromkeys(answered_at(claim, method) for claim in claims):
            if at not in jobs:
                jobs[at] = performance_job(replace(circuit, method=method), at)
    return jobs


def answered_at(claim: Claim, method: Method) -> str:
    """The position after which a circuit's model has to do the task for a claim to be a share of the metric."""
    return claim.term.at or method.at


def performance_job(circuit: Circuit, at: str = "") -> Job:
    """Whether the model does the circuit's task, by the circuit's method; after the position ``at``, if one is given,
    in place of the method's."""
    request = Request(circuit, circuit.method, Term("accuracy", ((READ_AT, ReadAt(at or circuit.method.at)),)))
    return Job(
        key=(circuit.name, "performance", *([at] if at else [])),
        purpose="performance",
        model=circuit.model,
        method=circuit.method,
        geometry=circuit.geometry,
        start=lambda: performance(request),
        about=f"the task itself, after {at}" if at else "the task itself",
    )


def claim_job(circuit: Circuit, claim: Claim) -> Job:
    """A claim under the circuit's own method."""
    return _claim_job((circuit.name, claim.id), "claim", circuit, claim, claim.text)


def variant_jobs(circuit: Circuit, claim: Claim) -> Iterator[Job]:
    """A claim again under each setting that the method says to ``vary`` and that makes a difference to it."""
    for setting, value in circuit.method.vary:
        if setting == "members" and claim.kind != "member":
            continue
        changed = replace(circuit, method=varied(circuit.method, setting, value))
        claim = claim.under(changed.method)
        about = f"{claim.text}  # {setting} {value}"
        yield _claim_job((circuit.name, claim.id, setting, value), "variant", changed, claim, about)


def _claim_job(key: tuple[str, ...], purpose: Purpose, circuit: Circuit, claim: Claim, about: str) -> Job:
    """A claim under a circuit's method; that of a control task is measured on that task, if the model does it."""
    where = dict(claim.term.arguments).get("task")
    on_task = circuit.on(where) if isinstance(where, OnTask) else circuit
    request = Request(on_task, on_task.method, claim.term, control_of(claim), parts=purpose == "claim")
    job = term_job(key, purpose, request, about)
    if not isinstance(claim.bound, Control) and not (claim.bound.from_above if job.stops else claim.bound.from_below):
        job = replace(job, lead=None)  # one figure decides from below; from above each has to be shown
    return job if on_task is circuit else replace(job, start=lambda: where_done(ask(request), request), lead=None)


def varied(method: Method, setting: str, value: str) -> Method:
    """The method with one setting changed."""
    changes: Mapping[str, Any] = {setting: value}
    return replace(method, **changes)


def whole_jobs(circuit: Circuit) -> Mapping[Method, Job]:
    """What the circuit keeps of the metric, under each method by which a listed head claims to add to the circuit."""
    if all(claim.kind != "member" for claim in circuit.claims):
        return {}
    methods = {circuit.method: ()} | {varied(circuit.method, *each): each for each in circuit.method.vary}
    return {
        method: _whole_job(circuit, method, how) for method, how in methods.items() if method.members == "minimality"
    }


def _whole_job(circuit: Circuit, method: Method, how: tuple[str, ...]) -> Job:
    """``how`` is the setting that is varied and its value, () for the circuit's own method."""
    request = Request(circuit, method, Term("faithfulness"))
    return Job(
        key=(circuit.name, "whole", *how),
        purpose="whole",
        model=circuit.model,
        method=method,
        geometry=circuit.geometry,
        start=lambda: what_it_keeps(request),
        about=" ".join(("what it keeps", *(("# " + how[0], how[1]) if how else ()))),
    )


def head_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect of every head of the circuit where the circuit has it."""
    return {
        node: knockout_job((circuit.name, "head", str(node)), "head", circuit, node) for node in _own_heads(circuit)
    }


def minimality_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """What every head of the circuit adds to it."""
    return {
        node: node_job((circuit.name, "head", str(node), "minimality"), "head", circuit, node, "minimality")
        for node in _own_heads(circuit)
    }


def _own_heads(circuit: Circuit) -> Iterator[Node]:
    return (node for node in circuit.constituents if isinstance(node.component, Head))


def unlisted_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect, at every position, of every head that the circuit does not name. They are raced."""
    nodes = _unlisted(circuit)
    jobs = {node: knockout_job((circuit.name, "unlisted", str(node)), "unlisted", circuit, node) for node in nodes}
    return {node: replace(job, raced=True) for node, job in jobs.items()}


def _unlisted(circuit: Circuit) -> list[Node]:
    listed = {node.component for node in circuit.constituents}
    return [Node(head, ALL) for head in all_heads(circuit.geometry) if head not in listed]


SKETCHED_HEADS, SKETCHED_PROMPTS = 96, 48
"""With fewer they save about what they cost: of 64 heads on 32 prompts, 22.6 passes for 24.6, and no seconds."""


def worth_sketching(number: int, method: Method) -> bool:
    """Whether estimates of so many knockouts save more than they cost."""
    return number >= SKETCHED_HEADS and method.prompts_first >= SKETCHED_PROMPTS and not method.prompts_all


def sketch_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """The knockouts of ``unlisted_jobs`` to first order."""
    return sketches_of(_unlisted(circuit), circuit)


def sketches_of(nodes: Iterable[Node], circuit: Circuit) -> Mapping[Node, Job]:
    """Knockouts to first order of those of some nodes that are heads, whose gradients alone are kept; none where the
    metric has no gradient."""
    if not has_gradient(figure_of(circuit.method.measured).reading):
        return {}
    request = Request(circuit, circuit.method, Term("knockout"))
    return {node: _sketch_job(node, request) for node in nodes if isinstance(node.component, Head)}


def _sketch_job(node: Node, request: Request) -> Job:
    circuit = request.circuit
    return Job(
        key=(circuit.name, "sketch", str(node)),
        purpose="unlisted",
        model=circuit.model,
        method=circuit.method,
        geometry=circuit.geometry,
        start=lambda: sketched_knockout(request, [node]),
        about=f"{node}, to first order",
    )
