"""Shams: another prompt of the same kind for each prompt, the same one however many prompts are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from ioi_data import IOI

from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.engine.shams import POOLS, donors_of, with_shams
from circuitdsl.engine.store import Store
from circuitdsl.measures.experiments import (
    SHAM,
    Ablated,
    Clean,
    Data,
    Experiment,
    FromCounterfactual,
    Metric,
    Patched,
)
from circuitdsl.measures.measurement import Failure
from circuitdsl.tasks.prompts import Prompt, PromptSet

HEADS = frozenset({Node(Head(3, 0), Position("END")), Node(Head(2, 3), Position("END"))})
SHAMS = [
    Experiment(IOI, Patched(HEADS, frozenset(), SHAM, strict=False, guarded=False), Metric("logit_diff")),
    Experiment(IOI, Ablated(HEADS, FromCounterfactual(SHAM), guarded=False), Metric("logit_diff")),
]
REAL = Experiment(IOI, Patched(HEADS, frozenset(), "abc", strict=False), Metric("logit_diff"))


@pytest.fixture(scope="module")
def streams(mini) -> dict[Data, PromptSet]:
    """Prompts and donors, drawn once for all sessions."""
    session = Session(PlainEngine(mini))
    session.prompts(IOI, 120)
    session.prompts(donors_of(IOI), POOLS[-1])
    return session.streams


@pytest.fixture(scope="module")
def drawn(streams) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    return streams[IOI].prompts[:120], streams[donors_of(IOI)].prompts[: POOLS[-1]]


def of(donors):
    """The first so many of some donors."""
    return lambda count: donors[:count]


def test_a_sham_is_another_prompt_of_the_same_kind(drawn):
    prompts, donors = drawn
    by_tokens = {donor.tokens: donor for donor in donors}
    same_answer = 0
    for before, after in zip(prompts, with_shams(prompts, of(donors)), strict=True):
        sham = by_tokens[after.counterfactuals[SHAM]]
        assert sham.tokens != before.tokens
        assert (sham.template, len(sham.tokens)) == (before.template, len(before.tokens))
        same_answer += sham.answer == before.answer
        assert {name: each for name, each in after.counterfactuals.items() if name != SHAM} == before.counterfactuals
    assert same_answer == len(prompts)


def test_drawing_more_prompts_changes_none(drawn):
    prompts, donors = drawn
    assert with_shams(prompts, of(donors))[:40] == with_shams(prompts[:40], of(donors))


def test_no_donor_is_used_twice_while_others_are_as_good(drawn):
    prompts, donors = drawn
    alike = [donor for donor in donors if donor.template == prompts[0].template]
    few = with_shams([prompts[0]] * 5, of(alike))
    of_answer = {d.tokens for d in alike if d.answer == prompts[0].answer and d.tokens != prompts[0].tokens}
    assert len({each.counterfactuals[SHAM] for each in few}) == min(5, len(of_answer))


def test_a_prompt_alone_of_its_template_has_none(mini, drawn):
    prompts, _ = drawn
    assert with_shams(prompts[:1], of(prompts[:1])) == (prompts[0],)


def test_both_engines_run_them_alike_and_in_parts(mini, streams):
    plain, fast, parts = (Session(engine(mini), streams=streams) for engine in (PlainEngine, FastEngine, PlainEngine))
    expected, found = plain.run([*SHAMS, REAL], 40), fast.run([*SHAMS, REAL], 40)
    parts.run(SHAMS, 15)
    for sham in SHAMS:
        values = expected[sham]
        assert not isinstance(values, Failure)
        for others, tolerance in ((found[sham], 2e-3), (parts.run([sham], 40)[sham], 1e-4)):
            assert not isinstance(others, Failure)
            np.testing.assert_allclose(others, values, atol=tolerance)
        real = expected[REAL]
        assert not isinstance(real, Failure) and not np.allclose(values, real)


def test_the_store_tells_shams_apart_and_nothing_else_is_run_again(mini, streams, tmp_path):
    store = Store.in_folder(tmp_path)
    first = Session(PlainEngine(mini), store, streams)
    first.run([REAL, Experiment(IOI, Clean(), Metric("logit_diff"))], 20)
    again = Session(PlainEngine(mini), store, streams)
    again.run([*SHAMS, REAL], 20)
    assert (again.answered, again.ran) == (1, len(SHAMS))
    third = Session(PlainEngine(mini), store, streams)
    third.run([*SHAMS, REAL], 20)
    assert (third.answered, third.ran) == (3, 0)


def test_a_control_may_change_nothing_and_a_claim_may_not(mini):
    """A patch of a prompt by itself."""
    for engine in (PlainEngine, FastEngine):
        session = Session(engine(mini))
        prompts = session.prompts(IOI, 10)
        same = [p.__class__(**{**p.__dict__, "counterfactuals": {"abc": p.tokens}}) for p in prompts]
        worlds = [Patched(HEADS, frozenset(), "abc", strict=False, guarded=guarded) for guarded in (True, False)]
        asked = [Experiment(IOI, world, Metric("logit_diff")) for world in (*worlds, Clean())]
        guarded, free, clean = session.engine.run(IOI, same, 0, 10, asked).values()
        assert isinstance(guarded, Failure)
        assert not isinstance(free, Failure) and not isinstance(clean, Failure)
        np.testing.assert_allclose(free, clean, atol=1e-5)
