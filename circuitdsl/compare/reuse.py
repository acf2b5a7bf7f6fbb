"""What two circuits and their parts do on both tasks: the table of function beside the table of structure.

Five parts (each circuit, what both share, what only one has), kept alone (faithfulness) and knocked out, on both
tasks. From the knockouts of the whole circuits follows the dissociation, from their faithfulness the transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from circuitdsl.compare.curve import Curve, curve
from circuitdsl.compare.function import Align, grafted, need_one_model, random_pairs, real_pair, ways
from circuitdsl.compare.measures import KINDS, Kind
from circuitdsl.compare.structure import Structure, compare
from circuitdsl.compare.sweeps import all_heads, effects
from circuitdsl.judge.check import Judge
from circuitdsl.judge.intervals import Bootstrap, interval
from circuitdsl.judge.outcome import Figure, Verdict
from circuitdsl.judge.verdicts import decide
from circuitdsl.language.circuit import ALL, Bound, Circuit, Component, Nodes, Term
from circuitdsl.measures.measurement import Array, CannotMeasure, Measurement, Request
from circuitdsl.measures.registry import MEASURES
from circuitdsl.plan.drive import Failure, measure
from circuitdsl.plan.jobs import Job

Part = Literal["left", "right", "shared", "left only", "right only"]
PARTS: tuple[Part, ...] = ("left", "right", "shared", "left only", "right only")

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")

NOTHING = Figure(None, None, None)


@dataclass(frozen=True)
class Cell:
    """One part on one circuit's task: its faithfulness when it is kept alone, and the change when it is knocked out.

    ``heads`` counts its components. A figure that could not be had is None, with the reason in ``note``.
    """

    part: Part
    task: Side
    heads: int
    faithfulness: Figure
    knockout: Figure
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "part": self.part,
            "task": self.task,
            "heads": self.heads,
            "faithfulness": _figure(self.faithfulness),
            "knockout": _figure(self.knockout),
            "note": self.note,
        }


Dissociated = Literal["double", "left only", "right only", "none", "undecided"]


@dataclass(frozen=True)
class Dissociation:
    """Whether each circuit's knockout hurts its own task more than the other one's.

    ``left`` and ``right`` are loss on the own task less loss on the other's, ``smaller`` the smaller of both and
    ``interaction`` their mean. ``kind`` says which of the two are above zero for certain. ``random`` is the smaller way
    of pairs of random circuits of the same size in each layer: their mean, with the range of the middle 90% of them;
    ``p_value`` is the share of pairs, the real one counted in, that reach the real one's.
    """

    left: Figure
    right: Figure
    smaller: Figure
    interaction: Figure
    kind: Dissociated
    random: Figure
    pairs: int
    p_value: float | None
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        figures = {name: _figure(getattr(self, name)) for name in ("left", "right", "smaller", "interaction", "random")}
        return {**figures, "kind": self.kind, "pairs": self.pairs, "p_value": self.p_value, "note": self.note}


@dataclass(frozen=True)
class Function:
    """What two circuits do for each other's tasks. ``left`` and ``right`` are their names."""

    left: str
    right: str
    tasks: tuple[str, str]
    cells: tuple[Cell, ...]
    dissociation: Dissociation
    notes: tuple[str, ...]

    def cell(self, part: Part, task: Side) -> Cell:
        """The cell of a part on a task."""
        return next(cell for cell in self.cells if (cell.part, cell.task) == (part, task))

    def to_dict(self) -> dict[str, object]:
        """``transfer`` names what was kept and on whose task, as in ``transfer(a -> b)``."""
        return {
            "transfer": {
                "left_to_right": _figure(self.cell("left", "right").faithfulness),
                "right_to_left": _figure(self.cell("right", "left").faithfulness),
            },
            "function": {
                "tasks": list(self.tasks),
                "cells": [cell.to_dict() for cell in self.cells],
                "dissociation": self.dissociation.to_dict(),
                "notes": list(self.notes),
            },
        }


def function(left: Circuit, right: Circuit, align: Align, judge: Judge) -> Function:
    """Measure two circuits of one model on both tasks, on each task's first prompts under its own method.

    Raises CannotMeasure for circuits of two models.
    """
    need_one_model(left, right)
    pairs = tuple(align)
    cells = [cell for side in SIDES for cell in _cells(left, right, pairs, side, judge)]
    return Function(
        left=left.name,
        right=right.name,
        tasks=(str(left.task), str(right.task)),
        cells=tuple(sorted(cells, key=lambda cell: PARTS.index(cell.part))),
        dissociation=_dissociation(left, right, pairs, judge),
        notes=(*_precision(judge.session.engine.dtype), *_notes(left, right, pairs)),
    )


def _precision(dtype: str) -> tuple[str, ...]:
    return () if dtype == "float32" else (f"the model ran in {dtype}",)


@dataclass(frozen=True)
class Reuse:
    """All that is known of how two tasks share a circuit; ``to_dict`` is the contract's "comparisons" entry."""

    structure: Structure
    function: Function
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()  # curves that could not be had, and why

    def to_dict(self) -> dict[str, object]:
        structure = self.structure.to_dict()
        return {
            **structure,
            **self.function.to_dict(),
            "curves": [curve.to_dict() for curve in self.curves],
            "notes": [*self.structure.notes, *self.notes],
        }


def reuse(
    left: Circuit,
    right: Circuit,
    align: Align,
    judge: Judge,
    kinds: Iterable[Kind] = KINDS,
    quoted: float | None = None,
) -> Reuse:
    """Compare two circuits of one model in structure and in function, and draw the curves of these kinds.

    ``quoted`` is the overlap whose threshold the curves look for, by itself that of the two circuits. Raises
    CannotMeasure for circuits of two models.
    """
    need_one_model(left, right)
    pairs = tuple(align)
    structure = compare(left, right, pairs)
    looked_for = structure.heads.of_smaller if quoted is None else quoted
    curves: list[Curve] = []
    notes: list[str] = []
    for kind in kinds:
        try:
            curves.append(_curve(left, right, kind, judge, looked_for))
        except CannotMeasure as reason:
            notes.append(f"no {kind} curve: {reason}")
    return Reuse(structure, function(left, right, pairs, judge), tuple(curves), tuple(notes))


def _curve(left: Circuit, right: Circuit, kind: Kind, judge: Judge, quoted: float | None) -> Curve:
    ours, theirs = (effects(circuit, kind, judge.session.run) for circuit in (left, right))
    return curve(
        kind,
        (left.name, right.name),
        all_heads(left),
        ours,
        theirs,
        judge.bootstrap,
        max(left.method.confidence, right.method.confidence),
        left.geometry.n_heads,
        quoted,
    )


# --- parts -----------------------------------------------------------------------------------------


def part_on(part: Part, side: Side, left: Circuit, right: Circuit, align: Align) -> Circuit:
    """A part as a circuit of the left or the right one's task.

    What that task's own circuit has stands at its own positions; the rest as ``grafted`` places it.
    """
    own, other = (left, right) if side == "left" else (right, left)
    ours, theirs = (set(_components(circuit)) for circuit in (left, right))
    wanted: dict[Part, set[Component]] = {
        "left": ours,
        "right": theirs,
        "shared": ours & theirs,
        "left only": ours - theirs,
        "right only": theirs - ours,
    }
    stands_at_home = part in ("shared", side, f"{side} only")
    return _restricted(own if stands_at_home else grafted(other, own, align), wanted[part])


def _components(circuit: Circuit) -> tuple[Component, ...]:
    return tuple(dict.fromkeys(node.component for node in circuit.nodes))


def _restricted(circuit: Circuit, wanted: set[Component]) -> Circuit:
    roles = (
        replace(role, nodes=tuple(node for node in role.nodes if node.component in wanted)) for role in circuit.roles
    )
    return replace(circuit, roles=tuple(role for role in roles if role.nodes))


def _cells(left: Circuit, right: Circuit, align: Align, side: Side, judge: Judge) -> Iterator[Cell]:
    """All parts on one task."""
    method = (left if side == "left" else right).method
    parts: dict[Part, Circuit] = {part: part_on(part, side, left, right, align) for part in PARTS}
    jobs = {part: (_kept(circuit), _removed(circuit)) for part, circuit in parts.items() if circuit.nodes}
    measured = _measure([job for both in jobs.values() for job in both], method.prompts_first, judge)
    for part, circuit in parts.items():
        if part not in jobs:
            yield Cell(part, side, 0, NOTHING, NOTHING, "no heads")
            continue
        results = [measured[job] for job in jobs[part]]
        kept, removed = (_interval(result, judge.bootstrap, method.confidence) for result in results)
        reasons = dict.fromkeys(result.message for result in results if isinstance(result, Failure))
        yield Cell(part, side, len(_components(circuit)), kept, removed, "; ".join(reasons))


def _kept(circuit: Circuit) -> Job:
    return _job(circuit, "faithfulness", Term("faithfulness"))


def _removed(circuit: Circuit) -> Job:
    return _job(circuit, "knockout", Term("knockout", (("heads", Nodes(circuit.name, circuit.nodes)),)))


def _job(circuit: Circuit, measure_name: str, term: Term) -> Job:
    request = Request(circuit, circuit.method, term, parts=False)
    estimate = MEASURES[measure_name].estimate
    return Job((circuit.name, measure_name), "claim", circuit.model, circuit.method, lambda: estimate(request))


def _measure(jobs: Iterable[Job], count: int, judge: Judge) -> dict[Job, Measurement | Failure]:
    return measure(jobs, lambda experiments: judge.session.run(experiments, count))


def _interval(result: Measurement | Failure, bootstrap: Bootstrap, confidence: float) -> Figure:
    return NOTHING if isinstance(result, Failure) else interval(result, bootstrap, confidence)


# --- dissociation ----------------------------------------------------------------------------------


def _dissociation(left: Circuit, right: Circuit, align: Align, judge: Judge) -> Dissociation:
    try:
        randoms, note = tuple(random_pairs(left, right, align)), ""
    except CannotMeasure as reason:
        randoms, note = (), str(reason)
    count = max(left.method.prompts_first, right.method.prompts_first)
    pairs = (real_pair(left, right, align), *randoms)
    job = Job(
        (left.name, right.name, "dissociation"), "claim", right.model, right.method, lambda: ways(left, right, pairs)
    )
    both = _measure([job], count, judge)[job]
    if isinstance(both, Failure):
        return Dissociation(NOTHING, NOTHING, NOTHING, NOTHING, "undecided", NOTHING, 0, None, both.message)
    return _judged(both, len(randoms), judge.bootstrap, max(left.method.confidence, right.method.confidence), note)


def _judged(both: Measurement, randoms: int, bootstrap: Bootstrap, confidence: float, note: str) -> Dissociation:
    def figure(of: Callable[[Array], Array]) -> Figure:
        return interval(replace(both, combine=lambda means: of(both.combine(means)[..., 0, :])), bootstrap, confidence)

    left, right = figure(lambda way: way[..., 0]), figure(lambda way: way[..., 1])
    smaller = both.combine(np.concatenate([each.columns.mean(axis=0) for each in both.samples])).min(axis=-1)
    return Dissociation(
        left=left,
        right=right,
        smaller=figure(lambda way: way.min(axis=-1)),
        interaction=figure(lambda way: way.mean(axis=-1)),
        kind=_kind(left, right),
        random=Figure(float(smaller[1:].mean()), *map(float, np.quantile(smaller[1:], [0.05, 0.95])))
        if randoms
        else NOTHING,
        pairs=randoms,
        p_value=float(np.mean(smaller >= smaller[0])) if randoms else None,
        note=note,
    )


def _kind(left: Figure, right: Figure) -> Dissociated:
    ours, theirs = (_above_zero(figure) for figure in (left, right))
    if Verdict.UNDECIDED in (ours, theirs):
        return "undecided"
    names: dict[tuple[bool, bool], Dissociated] = {
        (True, True): "double",
        (True, False): "left only",
        (False, True): "right only",
        (False, False): "none",
    }
    return names[ours is Verdict.HOLDS, theirs is Verdict.HOLDS]


def _above_zero(figure: Figure) -> Verdict:
    if figure.low is None or figure.high is None:
        return Verdict.UNDECIDED
    return decide(Bound(">", low=0.0), figure.low, figure.high)


# --- words -----------------------------------------------------------------------------------------


def _notes(left: Circuit, right: Circuit, align: Align) -> Iterator[str]:
    for source, onto in ((left, right), (right, left)):
        roles = [role.name for role in grafted(source, onto, align).roles if {n.position for n in role.nodes} == {ALL}]
        if roles:
            yield f"on {onto.name}'s task {', '.join(roles)} of {source.name} stand at all positions"


def _figure(figure: Figure) -> Mapping[str, float | None]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}
