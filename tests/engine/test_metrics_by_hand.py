"""Metrics of the logits against Hugging Face's own logits of mini, with torch, numpy and SciPy as the judges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ioi_data import IOI
from scipy.special import logsumexp
from scipy.stats import entropy, rankdata
from transformers import GPT2LMHeadModel

from arrays import array
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.readings import divergence, rank, says
from circuitdsl.language.circuit import Token
from circuitdsl.measures.experiments import (
    Ablated,
    Corrupted,
    Divergence,
    Experiment,
    Hit,
    Metric,
    Predicted,
    Reading,
    TokenProbability,
    World,
    Zero,
)
from circuitdsl.measures.measurement import CLEAN
from circuitdsl.tasks.prompts import Prompt

ENGINES = (PlainEngine, FastEngine)


@pytest.fixture(scope="module")
def logits_of():
    """Hugging Face's logits after some tokens, as a function of these."""
    from circuitdsl.models.folders import find_folder

    model = GPT2LMHeadModel.from_pretrained(find_folder("mini"), dtype="float32")

    def logits(tokens: tuple[int, ...]) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.tensor([tokens])).logits[0, -1].double().numpy()

    return logits


@pytest.fixture(scope="module")
def several(ioi_prompts):
    """The prompts; every second has two right answers, and every third three wrong ones."""

    def answers(number: int, prompt: Prompt) -> Prompt:
        others = [token for token in range(8, 40) if token not in (prompt.answer, *prompt.wrong)][number:]
        right = (prompt.answer, others[0]) if number % 2 else ()
        wrong = (*prompt.wrong, *others[1:3]) if number % 3 == 0 else prompt.wrong
        return replace(prompt, right=right, wrong=wrong, predicted={"ANSWER": prompt.answer, "OTHER": others[0]})

    return tuple(answers(number, prompt) for number, prompt in enumerate(ioi_prompts))


def ran(engine, model, prompts, reading: Reading, world: World = CLEAN):
    experiment = Experiment(IOI, world, reading)
    return array(engine(model).run(IOI, prompts, 0, len(prompts), [experiment])[experiment])


def rank_by_hand(prompt: Prompt, logits: np.ndarray) -> int:
    """SciPy's competition rank of the best right answer, from the top, among the tokens that are not right."""
    best = max(logits[list(prompt.answers)])
    others = np.delete(logits, list(prompt.answers))
    return int(rankdata([-best, *-others], method="max")[0])


BY_HAND = {
    Metric("log_prob"): lambda p, logits: np.log(np.sum(np.exp(logits[list(p.answers)] - logsumexp(logits)))),
    Metric("probability"): lambda p, logits: sum(np.exp(logits - logsumexp(logits))[list(p.answers)]),
    TokenProbability(Token(None)): lambda p, logits: sum(np.exp(logits - logsumexp(logits))[list(p.answers)]),
    Metric("logit_diff"): lambda p, logits: np.mean(logits[list(p.answers)]) - np.mean(logits[list(p.wrong)]),
    Metric("logit_diff against max"): lambda p, logits: np.mean(logits[list(p.answers)]) - max(logits[list(p.wrong)]),
    Metric("reciprocal_rank"): lambda p, logits: 1 / rank_by_hand(p, logits),
    Hit(1): lambda p, logits: float(rank_by_hand(p, logits) <= 1),
    Predicted("ANSWER"): lambda p, logits: float(np.argmax(logits) == p.answer),
    Predicted("OTHER"): lambda p, logits: float(np.argmax(logits) == p.predicted["OTHER"]),
    Hit(4): lambda p, logits: float(rank_by_hand(p, logits) <= 4),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reading", BY_HAND, ids=str)
@pytest.mark.parametrize("corrupted", [False, True])
def test_a_metric_is_what_its_definition_gives(mini, several, logits_of, engine, reading, corrupted):
    world = Corrupted("abc") if corrupted else CLEAN
    tokens = [prompt.counterfactuals["abc"] if corrupted else prompt.tokens for prompt in several]
    expected = [BY_HAND[reading](p, logits_of(read)) for p, read in zip(several, tokens, strict=True)]
    np.testing.assert_allclose(ran(engine, mini, several, reading, world), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_kl_is_scipys_relative_entropy(mini, ioi_prompts, logits_of, engine):
    def distribution(tokens):
        logits = logits_of(tokens)
        return np.exp(logits - logsumexp(logits))

    expected = [entropy(distribution(p.tokens), distribution(p.counterfactuals["abc"])) for p in ioi_prompts]
    assert min(expected) > 0.1
    np.testing.assert_allclose(
        ran(engine, mini, ioi_prompts, Divergence(), Corrupted("abc")), expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_does_not_diverge_from_itself_and_does_once_a_head_is_taken_away(mini, ioi_prompts, engine):
    assert not ran(engine, mini, ioi_prompts, Divergence()).any()
    without = Ablated(frozenset({Node(Head(3, 2), Position("END"))}), Zero())
    assert (ran(engine, mini, ioi_prompts, Divergence(), without) > 0).all()


def prompt_of(answer: int, right: tuple[int, ...] = ()) -> Prompt:
    return Prompt("", (0,), answer, (), (), {"END": (0,)}, {}, "", right=right)


def test_a_tie_counts_against_the_answer():
    assert int(rank(prompt_of(2), torch.tensor([1.0, 3.0, 3.0, 0.0]))) == 2
    assert int(rank(prompt_of(0), torch.zeros(50))) == 50  # a model that says nothing hits nothing


def test_a_tie_is_no_answer():
    assert [bool(says(torch.tensor([1.0, 3.0, 3.0]), token)) for token in range(3)] == [False, False, False]
    assert [bool(says(torch.tensor([1.0, 2.0, 3.0]), token)) for token in range(3)] == [False, False, True]


def test_other_right_answers_do_not_count_against_the_best():
    logits = torch.tensor([5.0, 5.0, 4.0, 6.0])
    assert int(rank(prompt_of(0, right=(0, 1)), logits)) == 2
    assert int(rank(prompt_of(2, right=(2, 3)), logits)) == 1


def test_kl_of_two_known_distributions():
    half, quarters = torch.tensor([0.0, 0.0, -math.inf]), torch.tensor([1 / 4, 1 / 4, 1 / 2]).log()
    half = half.nan_to_num(neginf=-1e4)
    assert divergence(half[None], quarters[None]).item() == pytest.approx(math.log(2))
