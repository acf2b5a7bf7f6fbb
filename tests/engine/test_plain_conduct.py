"""How the plain engine behaves: no leak of padding, no hook left behind, a guard on patches that do nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpt2_by_hand import GPT2
from ioi_data import IOI

import circuitdsl as cd
from arrays import array, arrays
from circuitdsl.actions import Attend, Patch, Scale, Target
from circuitdsl.components import ALL, Embed, Head, Node, PosEmbed, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.engine.session import Session
from circuitdsl.language.circuit import FromTo
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.experiments import (
    Ablated,
    Attention,
    Clean,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    Resample,
    Zero,
)
from circuitdsl.measures.measurement import Failure

END = Position("END")
MOVER = Node(Head(3, 2), END)
LOGIT_DIFF = Metric("logit_diff")

HALF = Intervened((Scale((Node(Head(1, 5), ALL),), 0.5, text="half"),), (None,))

WORLDS = [
    Clean(),
    Ablated(frozenset({MOVER}), Zero()),
    Ablated(frozenset({MOVER, Node(Head(1, 1), ALL)}), Mean("abc", 2, by_template=True)),
    Ablated(frozenset({MOVER}), Resample("abc", 2, seed=1)),
    Isolated(frozenset({MOVER}), Mean("abc", 5, by_template=False), mlps=False),
    Patched(frozenset({Node(Head(1, 5), Position("S2"))}), frozenset({(MOVER, "q")}), "abc", strict=False),
    Patched(frozenset({Node(Head(1, 1), Position("S2"))}), frozenset({(MOVER, "q")}), "abc", strict=False, under=HALF),
]


def answers(model, prompts, experiments, **settings):
    references = references_over(prompts, experiments)
    return PlainEngine(model, **settings).run(IOI, prompts, 0, len(prompts), experiments, references)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_prompts_together_give_what_each_gives_alone(mini, ioi_prompts, world):
    experiment = Experiment(IOI, world, LOGIT_DIFF)
    together = array(answers(mini, ioi_prompts, [experiment])[experiment])
    assert len({len(p.tokens) for p in ioi_prompts}) > 1
    alone = array(answers(mini, ioi_prompts, [experiment], tokens=1)[experiment])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4)


def test_no_hook_is_left_behind_even_when_a_pass_raises(mini, ioi_prompts):
    def hooks() -> int:
        return sum(len(point.fwd_hooks) for point in mini.bridge.hook_dict.values())

    before = hooks()
    experiments = [Experiment(IOI, world, LOGIT_DIFF) for world in WORLDS]
    answers(mini, ioi_prompts, experiments)
    assert hooks() == before

    class Broken(RuntimeError):
        pass

    def fail(*_):
        raise Broken

    handle = mini.bridge.ln_final.register_forward_pre_hook(fail)
    with pytest.raises(Broken):
        answers(mini, ioi_prompts, experiments)
    handle.remove()
    assert hooks() == before


def test_the_hooks_of_the_models_owner_stay(mini, ioi_prompts):
    calls = []
    point = mini.bridge.hook_dict["blocks.0.attn.hook_z"]
    point.add_hook(lambda value, hook: calls.append(1))
    try:
        answers(mini, ioi_prompts, [Experiment(IOI, Clean(), LOGIT_DIFF)])
        assert calls
        count = len(calls)
        mini.bridge(torch.tensor([ioi_prompts[0].tokens]))
        assert len(calls) == count + 1
    finally:
        point.remove_hooks()


def test_weights_are_not_touched(mini, ioi_prompts):
    fingerprint = {name: weight.clone() for name, weight in mini.bridge.named_parameters()}
    answers(mini, ioi_prompts, [Experiment(IOI, world, LOGIT_DIFF) for world in WORLDS])
    assert all(torch.equal(weight, fingerprint[name]) for name, weight in mini.bridge.named_parameters())


def test_the_guard_refuses_a_patch_that_changes_nothing(mini, ioi_prompts):
    """At IO the prompt and its s2_io counterfactual are the same so far, so nothing there can differ."""
    early = Node(Head(1, 1), Position("IO"))
    for world in (
        Ablated(frozenset({early}), FromCounterfactual("s2_io")),
        Patched(frozenset({early}), frozenset(), "s2_io", strict=False),
        Patched(frozenset({early}), frozenset({(MOVER, "q")}), "s2_io", strict=True),
        Patched(frozenset({early}), frozenset(), "s2_io", strict=False, under=HALF),
    ):
        experiment = Experiment(IOI, world, LOGIT_DIFF)
        failure = answers(mini, ioi_prompts, [experiment])[experiment]
        assert isinstance(failure, Failure)
        assert "changed nothing" in failure.message
        assert "1.1 at IO" in failure.message


def test_a_path_that_carries_nothing_is_an_answer(mini, ioi_prompts):
    """A sender in a later layer than the receiver changes nothing: the effect is zero, not an error."""
    world = Patched(frozenset({MOVER}), frozenset({(Node(Head(1, 1), END), "q")}), "abc", strict=False)
    clean, patched = Experiment(IOI, Clean(), LOGIT_DIFF), Experiment(IOI, world, LOGIT_DIFF)
    results = arrays(answers(mini, ioi_prompts, [clean, patched]))
    np.testing.assert_allclose(results[patched], results[clean], atol=1e-5)


def test_under_an_intervention_that_does_nothing_a_path_carries_what_it_does_without(mini, ioi_prompts):
    nothing = Intervened((Scale((Node(Head(1, 5), ALL),), 1.0, text="as it is"),), (None,))
    paths = [(frozenset({MOVER}), frozenset()), (frozenset({Node(Head(2, 3), END)}), frozenset({(MOVER, "q")}))]
    for senders, receivers in paths:
        plain, under = (
            Experiment(IOI, Patched(senders, receivers, "abc", False, each), LOGIT_DIFF) for each in (None, nothing)
        )
        results = arrays(answers(mini, ioi_prompts, [plain, under, Experiment(IOI, Clean(), LOGIT_DIFF)]))
        np.testing.assert_allclose(results[under], results[plain], rtol=1e-4, atol=1e-4)
        assert np.abs(results[plain] - results[Experiment(IOI, Clean(), LOGIT_DIFF)]).mean() > 0.01


@pytest.mark.parametrize("engine", [PlainEngine, FastEngine])
def test_where_all_that_is_upstream_is_the_counterfactuals_already_a_path_carries_nothing(mini, ioi_prompts, engine):
    """The embeddings are patched, so that every head gives what it gives there: an answer, though nothing changes."""
    everything = Patch((Node(Embed(), ALL), Node(PosEmbed(), ALL)), "abc", text="all")
    under = Intervened((everything,), (FromCounterfactual("abc"),))
    senders = [frozenset({MOVER}), frozenset({Node(Head(3, 6), END), Node(Head(2, 6), END)})]
    patched = [Experiment(IOI, Patched(some, frozenset(), "abc", False, under), LOGIT_DIFF) for some in senders]
    base = Experiment(IOI, under, LOGIT_DIFF)
    results = engine(mini).run(IOI, ioi_prompts, 0, len(ioi_prompts), [*patched, base])
    for experiment in patched:
        np.testing.assert_allclose(results[experiment], results[base], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", [PlainEngine, FastEngine])
def test_an_intervention_that_cannot_be_done_fails_the_paths_under_it(mini, ioi_prompts, engine):
    later = Intervened((Attend((Node(Head(0, 0), Position("S1")),), (Target(END),)),), (None,))
    wrong = Experiment(IOI, Patched(frozenset({MOVER}), frozenset(), "abc", False, later), LOGIT_DIFF)
    failure = engine(mini).run(IOI, ioi_prompts, 0, 6, [wrong])[wrong]
    assert isinstance(failure, Failure)
    assert "S1 cannot attend to END" in failure.message


@pytest.mark.parametrize(
    ("world", "reading", "message"),
    [
        (Ablated(frozenset({Node(Head(0, 0), Position("QUERY"))}), Zero()), LOGIT_DIFF, "has no position QUERY"),
        (Ablated(frozenset({Node(Head(0, 0), Position("END", 1))}), Zero()), LOGIT_DIFF, "END+1 is outside"),
        (Ablated(frozenset({MOVER}), FromCounterfactual("other")), LOGIT_DIFF, "no counterfactual other"),
        (Ablated(frozenset({MOVER}), Mean("other", 2, True)), LOGIT_DIFF, "no counterfactual other"),
        (Clean(), Attention(Head(0, 0), FromTo(END, Position("C1"))), "has no position C1"),
        (
            Intervened((Attend((Node(Head(0, 0), Position("S1")),), (Target(END),)),), (None,)),
            LOGIT_DIFF,
            "S1 cannot attend to END",
        ),
    ],
)
def test_what_cannot_be_run_says_why_and_spares_the_rest(mini, ioi_prompts, world, reading, message):
    wrong, fine = Experiment(IOI, world, reading), Experiment(IOI, Clean(), LOGIT_DIFF)
    results = answers(mini, ioi_prompts, [wrong, fine])
    failure = results[wrong]
    assert isinstance(failure, Failure)
    assert message in failure.message
    assert isinstance(results[fine], np.ndarray)


def test_templates_of_several_lengths_have_no_mean(mini, ioi_prompts):
    from dataclasses import replace

    mixed = [replace(prompt, template="one") for prompt in ioi_prompts]
    experiment = Experiment(IOI, Ablated(frozenset({MOVER}), Mean("abc", 2, True)), LOGIT_DIFF)
    failure = answers(mini, mixed, [experiment])[experiment]
    assert isinstance(failure, Failure)
    assert "ablate mean" in failure.message


def test_zeroing_a_head_is_editing_its_weights(mini, ioi_prompts):
    """Ablation by zero at all positions equals a model whose W_O rows of that head are zero."""
    from transformers import GPT2LMHeadModel

    from circuitdsl.models.folders import find_folder

    edited = GPT2LMHeadModel.from_pretrained(find_folder("mini"), dtype="float32")
    size = edited.config.n_embd // edited.config.n_head
    with torch.no_grad():
        edited.get_parameter("transformer.h.2.attn.c_proj.weight")[3 * size : 4 * size] = 0
    model = GPT2.of(edited)
    experiment = Experiment(IOI, Ablated(frozenset({Node(Head(2, 3), ALL)}), Zero()), LOGIT_DIFF)
    found = array(answers(mini, ioi_prompts, [experiment])[experiment])
    logits = [model(prompt.tokens) for prompt in ioi_prompts]
    expected = [row[p.answer] - row[list(p.wrong)].mean() for row, p in zip(logits, ioi_prompts, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_session_runs_no_experiment_twice_on_a_prompt(mini):
    seen = []
    session = Session(PlainEngine(mini, tick=seen.append))
    experiments = [Experiment(IOI, Clean(), LOGIT_DIFF), Experiment(IOI, Clean(), Metric("accuracy"))]
    session.run(experiments, 40)
    assert sum(seen) == 40
    session.run(experiments, 40)
    assert sum(seen) == 40
    longer = session.run(experiments, 70)
    assert sum(seen) == 70
    assert all(len(result) == 70 for result in longer.values() if not isinstance(result, Failure))
    fresh = Session(PlainEngine(mini)).run(experiments, 70)
    for experiment in experiments:
        np.testing.assert_allclose(array(fresh[experiment]), array(longer[experiment]), atol=1e-5)


def test_the_plan_says_what_the_plain_engine_takes(mini):
    """Every pass that a plan counts is made, and no other: caches are shared between experiments."""
    text = """
    circuit c {
      model mini
      task ioi
      method { prompts 12  reference 2 }
      role a at S2  { 1.1 1.2 }
      role b at END { 3.0 3.1 }
      edge a -> b.kv
      edge b -> logits
      expect effect(a -> b.k, strict) <= 1000%
      expect faithfulness >= -1000%
      expect knockout(b) <= 1000%
      expect attention(b, END -> IO) >= 0%
    }
    """
    document = resolve_text(text, "c.circuit", cd.environment())
    report = cd.check(document, model=mini.bridge, engine="plain")
    plan = cd.plan(document)
    # A strict path keeps more of the clean run than a plain one, so it makes a clean cache of its own.
    assert report.cost.prompt_passes == pytest.approx(12 * (plan.plain.total + 1), abs=1e-6)
