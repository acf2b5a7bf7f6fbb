"""The search for heads that matter and that a circuit does not list: raced, corrected, and measured on fresh prompts.

1. All heads that are not listed race (``judge.race``), knocked out at every position, over the method's first prompts;
   where there are many, with an estimate of each on all of these (``experiments.Sketched``).
   With a coarser engine at hand they are screened instead (``judge.screen``), and what is left is measured on all.
2. Those that are left are judged on all of these prompts and corrected for each other and for all that are not left.
3. What is found is measured again on the prompts that come next, which had no say in its being found.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from circuitdsl.check.bench import Bench
from circuitdsl.components import Head, Node
from circuitdsl.engine.session import Session
from circuitdsl.errors import InputError
from circuitdsl.judge.evidence import FEWEST, Student
from circuitdsl.judge.race import (
    MISS,
    Correction,
    Raced,
    Sketch,
    early_looks,
    out_of_reach,
    race,
    shows,
    sketched_looks,
)
from circuitdsl.judge.screen import screen
from circuitdsl.judge.verdicts import holm, split_confidence
from circuitdsl.language.circuit import Bound, Circuit, Method
from circuitdsl.measures.estimands import Mean, Ratio, column
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Array, Failure, Measurement, data_of
from circuitdsl.outcome import HeadOutcome, Screening, Search
from circuitdsl.plan.circuit import CircuitPlan
from circuitdsl.plan.job import Started
from circuitdsl.plan.lockstep import measure

Item = TypeVar("Item", bound=Hashable)

Rows = Mapping[Node, Started]
Known = Mapping[Node, Measurement | Failure]


@dataclass(frozen=True)
class Told:
    """How it is told which of ``number`` items are beyond the ``floor``: by p-values that are ``corrected`` for all of
    them and are at most the ``level``."""

    floor: float
    level: float
    number: int
    corrected: Correction = holm


@dataclass(frozen=True)
class Found:
    """The heads whose knockout effect is surely beyond the floor, largest first, and how they were looked for.

    ``estimated``: on how many prompts all were estimated to first order; 0 where they were not.
    """

    heads: tuple[HeadOutcome, ...]
    search: Search
    screening: Screening | None
    estimated: int = 0


def search(plan: CircuitPlan, bench: Bench) -> Found:
    """Look for heads outside the circuit whose knockout effect is beyond the floor.

    All heads that are searched are corrected for each other (Holm), so that one false head or more is listed at most as
    often as the method's confidence allows. Intervals hold for all heads that are reported together (Bonferroni); where
    there are no fresh prompts, for all that were searched. Where all prompts are run nothing is chosen by chance: there
    is no race, and no fresh prompts are needed.
    """
    method, number = plan.circuit.method, len(plan.unlisted)
    prompts = len(bench.session.prompts(_data(plan.circuit), method.prompts_first))
    rows, screening = _screened(plan.unlisted, method, bench)
    sketches = plan.sketches if screening is None else {}
    looks = looks_with(sketches, prompts) if screening is None and not method.prompts_all else ()
    left = raced(rows, sketches, prompts, looks, Told(method.floor, 1 - method.confidence, number), bench)
    known = bench.measure((rows[node] for node in left.rest), method.prompts_first)
    found = beyond({node: known[rows[node]] for node in left.rest}, number, method, bench)
    fresh = _fresh({node: rows[node] for node in found}, prompts, plan.circuit, bench)
    heads = fresh.heads if fresh else _heads(found, split_confidence(method.confidence, max(1, number)), bench)
    miss, rare = (MISS, shows(looks[0])) if looks else (0.0, 0.0)
    how = Search(left.looks, miss, rare, fresh.prompts if fresh else 0)
    return Found(heads, how, screening, prompts if sketches else 0)


def _data(circuit: Circuit) -> Data:
    return data_of(circuit)


# --- looking -----------------------------------------------------------------------------------------


def looks_with(sketches: Sized, prompts: int) -> tuple[int, ...]:
    """On how many of so many prompts a race looks: earlier where there are ``sketches``."""
    return sketched_looks(prompts) if sketches else early_looks(prompts)


def raced(
    rows: Mapping[Item, Started],
    sketches: Mapping[Item, Started],
    prompts: int,
    looks: Sequence[int],
    told: Told,
    bench: Bench,
) -> Raced[Item]:
    """A race of which those drop out that would not be found on all prompts, as far as they and ``sketches`` tell."""
    estimated = bench.measure(sketches.values(), prompts)

    def settled(items: Sequence[Item], count: int) -> frozenset[Item]:
        known = bench.measure((rows[item] for item in items), count)
        measured = {item: m for item in items if isinstance(m := known[rows[item]], Measurement)}
        sketched = {
            item: _sketch(whole, each, bench)
            for item, each in measured.items()
            if item in sketches and isinstance(whole := estimated[sketches[item]], Measurement)
        }
        weighed = {item: bench.weighed(each) for item, each in measured.items()}
        growth, number = prompts / count, told.number
        return out_of_reach(weighed, told.floor, growth, len(looks), told.level, number, sketched, told.corrected)

    return race(tuple(rows), prompts, looks, settled)


def _sketch(estimated: Measurement, measured: Measurement, bench: Bench) -> Sketch:
    """What an estimate on all prompts says of a figure that is ``measured`` on the first of them; both are ratios."""
    (whole,), (exact,) = estimated.samples, measured.samples
    part = replace(estimated, samples=(replace(whole, columns=whole.columns[: len(exact.columns)]),))
    rest = (_numerator(measured) - _numerator(part))[:, np.newaxis]
    less = bench.weighed(Measurement((replace(exact, columns=rest),), Mean(column(0)))).evidence()
    assert isinstance(less, Student), "the mean of a difference without limits has a t"
    return Sketch(bench.weighed(estimated), bench.weighed(part), less)


def _numerator(measured: Measurement) -> Array:
    """What a ratio is a share of, [prompts]."""
    assert isinstance(measured.estimand, Ratio), "effects are shares of F"
    (sample,) = measured.samples
    return measured.estimand.over.of(sample.columns)


def beyond(known: Known, number: int, method: Method, bench: Bench) -> dict[Node, Measurement]:
    """Those whose effect is beyond the floor, corrected for all that were searched."""
    floor = Bound("outside", -method.floor, method.floor)
    measured = {node: each for node, each in known.items() if isinstance(each, Measurement)}
    p_values = [bench.judged(each, floor, method.confidence).judgement.p_value for each in measured.values()]
    return {
        node: each
        for (node, each), p in zip(measured.items(), holm(p_values, number), strict=True)
        if p is not None and p <= 1 - method.confidence
    }


def _screened(rows: Rows, method: Method, bench: Bench) -> tuple[Rows, Screening | None]:
    """The rows whose effect may reach the floor; those in which the screen says that it does not are sorted out."""
    coarse = bench.coarse
    if coarse is None:
        return rows, None

    def effects(session: Session, nodes: Sequence[Node]) -> dict[Node, float]:
        found = measure([rows[n] for n in nodes], lambda asked: session.run(asked, method.prompts_first))
        return {node: _value(found[rows[node]], bench) for node in nodes}

    left = screen(
        tuple(rows), method.floor, method.confidence, partial(effects, coarse), partial(effects, bench.session)
    )
    margin = left.margin if math.isfinite(left.margin) else None
    return {node: rows[node] for node in left.rest}, Screening(coarse.engine.dtype, left.sorted_out, margin)


def _value(measured: Measurement | Failure, bench: Bench) -> float:
    return math.nan if isinstance(measured, Failure) else bench.weighed(measured).value


# --- what is reported of those that are found --------------------------------------------------------


@dataclass(frozen=True)
class _Fresh:
    """Heads measured on so many prompts that had no say in their being found."""

    heads: tuple[HeadOutcome, ...]
    prompts: int


def _fresh(rows: Rows, prompts: int, circuit: Circuit, bench: Bench) -> _Fresh | None:
    """The same heads on as many prompts again, those that come next; None where there are too few of them."""
    more = _prompts_after(prompts, circuit, bench)
    if not rows or more < FEWEST:
        return None
    later = replace(bench, start=prompts)
    measured = later.measure(rows.values(), more)
    confidence = split_confidence(circuit.method.confidence, len(rows))
    return _Fresh(_heads({node: measured[job] for node, job in rows.items()}, confidence, later), more)


def _prompts_after(prompts: int, circuit: Circuit, bench: Bench) -> int:
    """How many more prompts there are, up to as many again; none where more of a file cannot be read by this model."""
    try:
        return len(bench.session.prompts(_data(circuit), 2 * prompts)) - prompts
    except InputError:
        return 0


def _heads(known: Known, confidence: float, bench: Bench) -> tuple[HeadOutcome, ...]:
    """Each with its interval, largest first."""
    found = [
        HeadOutcome(
            str(node.component),
            str(node.position),
            (),
            bench.estimate(each, confidence),
        )
        for node, each in known.items()
    ]
    return tuple(sorted(found, key=lambda row: -abs(row.estimate.value or 0)))


def search_note(circuit: Circuit, found: Found) -> str:
    """What was looked at, how, and what was found, in words."""
    listed = {node.component for node in circuit.constituents if isinstance(node.component, Head)}
    looked_at = circuit.geometry.n_layers * circuit.geometry.n_heads - len(listed)
    parts = [
        f"{len(found.heads)} of the {looked_at} heads that the circuit does not list change {circuit.method.metric} by "
        f"more than {100 * circuit.method.floor:g}% when knocked out at all positions"
    ]
    looks, screening = found.search.looks, found.screening
    if screening is not None:
        off = "" if screening.margin is None else f", which is off by {100 * screening.margin:.2g}% at most"
        parts.append(f"{screening.sorted_out} were excluded in {screening.dtype}{off}, and all others measured in full")
    elif len(looks) > 1:
        run = ", ".join(f"{heads} on {prompts}" for prompts, heads in looks[1:])
        estimated = f"estimated to first order on {found.estimated} prompts, and " if found.estimated else ""
        measured = f"all were {estimated}measured on {looks[0][0]} prompts"
        parts.append(f"{measured}, and those that could still be found on more: {run}")
        unless = ", where its estimate does not show it either" if found.estimated else ""
        parts.append(f"each that all prompts would find is lost in {100 * found.search.miss:g}% of checks at most")
        parts.append(
            f"one that matters on less than {100 * found.search.rare:.0f}% of prompts may be lost more often{unless}"
        )
    if found.heads and found.search.fresh:
        parts.append(f"their effects are those on the {found.search.fresh} prompts after these")
    elif found.heads and circuit.method.prompts_all:
        parts.append("their effects are those on all prompts")
    elif found.heads:
        parts.append(
            "there are no more prompts to measure them on, and chosen as the largest of many, these effects are too "
            "large on average"
        )
    return "; ".join(parts)
