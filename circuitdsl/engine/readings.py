"""From what a run leaves behind to one float a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, assert_never

import numpy as np
import torch
from torch import Tensor

from circuitdsl.components import ALL, Head, Position
from circuitdsl.engine.batch import Batch, tokens_at
from circuitdsl.engine.hook_names import FIRST_BLOCK, Activations, pattern
from circuitdsl.language.circuit import Token
from circuitdsl.measures.experiments import (
    MOST_NATS,
    Attention,
    AttentionTo,
    Copying,
    Divergence,
    HeadScore,
    Hit,
    Metric,
    Predicted,
    Reading,
    TokenProbability,
)
from circuitdsl.measures.measurement import Array, CannotMeasure
from circuitdsl.tasks.prompts import Prompt

NOT_FINITE = "the model gives NaN or infinity"
"""What keeps a reading from being one."""


def needed(readings: Iterable[Reading]) -> frozenset[str]:
    """The hook points that readings need besides the logits."""
    names: set[str] = set()
    for reading in readings:
        match reading:
            case Attention(head=head) | AttentionTo(head=head) | HeadScore(head=head):
                names.add(pattern(head.layer))
            case Copying():
                names.add(FIRST_BLOCK)
            case Metric() | Hit() | Predicted() | Divergence() | TokenProbability():
                pass
            case _:
                assert_never(reading)
    return frozenset(names)


Clean = Callable[[], Tensor]
"""The logits at END of the clean run, [prompts, vocabulary]."""


def read(reading: Reading, logits: Tensor, activations: Activations, batch: Batch, bridge: Any, clean: Clean) -> Array:
    """A reading of every prompt of a batch, shape [prompts].

    ``logits`` [prompts, vocabulary] are those at END; ``activations`` holds what ``needed`` named; ``clean`` is asked
    by a reading that compares with the clean run. Raises CannotMeasure where a prompt lacks a position and where the
    model gives NaN. All is computed in single precision at least, whatever the model's.
    """
    if bool(logits.sum().isnan()) and bool(logits.isnan().any()):  # of which a highest one could be named
        raise CannotMeasure(NOT_FINITE)
    return finite(_read(reading, logits, activations, batch, bridge, clean))


def finite(values: Array) -> Array:
    """Readings, all of which are numbers. Raises CannotMeasure: no verdict comes of NaN."""
    if not np.isfinite(values).all():
        raise CannotMeasure(NOT_FINITE)
    return values


def _read(reading: Reading, logits: Tensor, activations: Activations, batch: Batch, bridge: Any, clean: Clean) -> Array:
    match reading:
        case Metric(name=name):
            rows = zip(batch.prompts, logits.float(), strict=True)
            return _numbers(METRICS[name](prompt, row) for prompt, row in rows)
        case Hit(k=k):
            return _numbers(rank(prompt, row) <= k for prompt, row in zip(batch.prompts, logits.float(), strict=True))
        case Predicted(variable=variable):
            rows = zip(batch.prompts, logits.float(), strict=True)
            return _numbers(says(row, predicted_by(prompt, variable)) for prompt, row in rows)
        case Divergence():
            return divergence(clean(), logits).cpu().numpy()
        case TokenProbability(token=Token(position=None)):
            return _read(Metric("probability"), logits, activations, batch, bridge, clean)
        case TokenProbability(token=token):
            probabilities = logits.float().softmax(-1)
            return _numbers(
                row[token_of(prompt, token)] for prompt, row in zip(batch.prompts, probabilities, strict=True)
            )
        case Attention(head=head, where=where):
            return _each(activations, head, batch, lambda p, rows: attention(p, rows, where.query, where.key))
        case AttentionTo(head=head, query=query, token=token):
            patterns = activations[pattern(head.layer)][:, head.index].double()
            pairs = zip(batch.prompts, patterns, strict=True)
            return _numbers(attention_to(prompt, rows, query, token) for prompt, rows in pairs)
        case HeadScore(head=head, kind=kind):
            return _each(activations, head, batch, lambda p, rows: BEHAVIOURS[kind](p, rows))
        case Copying():
            return _copying(reading, activations[FIRST_BLOCK], batch, bridge)
        case _:
            assert_never(reading)


# --- the logits ------------------------------------------------------------------------------------


def logit_diff(prompt: Prompt, logits: Tensor) -> Tensor:
    """Mean logit of the right answers less the mean logit of the wrong ones."""
    require_wrong(prompt, "logit difference")
    return logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].mean()


def logit_diff_against_max(prompt: Prompt, logits: Tensor) -> Tensor:
    """Mean logit of the right answers less the largest logit of the wrong ones."""
    require_wrong(prompt, "logit difference")
    return logits[list(prompt.answers)].mean() - logits[list(prompt.wrong)].max()


def accuracy(prompt: Prompt, logits: Tensor) -> Tensor:
    """1 if the top token is the answer, or one of the right answers."""
    return _among(logits.argmax(), prompt.answers)


def _among(found: Tensor, some: Sequence[int]) -> Tensor:
    """1 if a number is one of some. It stays where it is: nobody waits for it."""
    return torch.stack([found == each for each in some]).any()


def accuracy_among_options(prompt: Prompt, logits: Tensor) -> Tensor:
    """1 if the top one of the prompt's options is the answer, or one of the right answers."""
    options = sorted({*prompt.answers, *prompt.options})
    right = [place for place, option in enumerate(options) if option in prompt.answers]
    return _among(logits[options].argmax(), right)


def chance_among_options(prompt: Prompt, logits: Tensor) -> Tensor:
    """The share of the prompt's options that are right: how often a blind choice among them is."""
    return torch.tensor(len(set(prompt.answers)) / len({*prompt.answers, *prompt.options}))


def probability(prompt: Prompt, logits: Tensor) -> Tensor:
    """Softmax probability of all right answers together."""
    return logits.float().softmax(-1)[list(prompt.answers)].sum()


def log_prob(prompt: Prompt, logits: Tensor) -> Tensor:
    """The logarithm of the probability of all right answers together, no lower than minus :data:`MOST_NATS`."""
    return logits.float().log_softmax(-1)[list(prompt.answers)].logsumexp(0).clamp(min=-MOST_NATS)


def rank(prompt: Prompt, logits: Tensor) -> Tensor:
    """The rank of the best right answer: one more than the number of other tokens, the right ones left out, with a
    logit as large or larger."""
    right = logits[list(prompt.answers)]
    best = right.max()
    return (logits >= best).sum() - (right >= best).sum() + 1


def predicted_by(prompt: Prompt, variable: str) -> int:
    """The answer that would follow if a variable alone had the value of its counterfactual. Raises CannotMeasure."""
    if variable not in prompt.predicted:
        raise CannotMeasure(f"the prompt {prompt.text!r} predicts no answer by {variable}")
    return prompt.predicted[variable]


def says(logits: Tensor, token: int) -> Tensor:
    """1 if a token has a larger logit than any other: a tie counts against it."""
    return (logits >= logits[token]).sum() == 1


def reciprocal_rank(prompt: Prompt, logits: Tensor) -> Tensor:
    """One over the rank."""
    return 1 / rank(prompt, logits)


def divergence(model: Tensor, changed: Tensor) -> Tensor:
    """D(model || changed) of the distributions of logits [prompts, vocabulary]: [prompts], in nats, at most
    :data:`MOST_NATS`.

    In double precision, since it is a sum of terms of both signs, and by rounding alone below zero.
    """
    pairs = zip(model, changed, strict=True)  # a prompt at a time: the last numbers are exponentiated by other code
    return torch.stack([_divergence(*(logits.double().log_softmax(-1) for logits in pair)) for pair in pairs])


def _divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours.exp() * (ours - theirs)).sum(-1).clamp(0, MOST_NATS)


def probability_diff(prompt: Prompt, logits: Tensor) -> Tensor:
    """Softmax probability of all right answers together less that of all wrong ones."""
    require_wrong(prompt, "probability difference")
    probabilities = logits.float().softmax(-1)
    return probabilities[list(prompt.answers)].sum() - probabilities[list(prompt.wrong)].sum()


def require_wrong(prompt: Prompt, estimate: str) -> None:
    """Raise CannotMeasure, naming the prompt, if it has no wrong answer for an estimate that needs one."""
    if not prompt.wrong:
        raise CannotMeasure(f"the prompt {prompt.text!r} has no wrong answer, so it has no {estimate}")


METRICS = {
    "logit_diff": logit_diff,
    "logit_diff against max": logit_diff_against_max,
    "accuracy": accuracy,
    "accuracy among options": accuracy_among_options,
    "chance among options": chance_among_options,
    "probability": probability,
    "probability_diff": probability_diff,
    "log_prob": log_prob,
    "reciprocal_rank": reciprocal_rank,
}


# --- attention -------------------------------------------------------------------------------------


def attention(prompt: Prompt, rows: Tensor, query: Position, key: Position) -> Tensor:
    """Mean over the query's tokens of the attention that they pay to the key's tokens together."""
    keys = list(tokens_at(prompt, key))
    return rows[list(tokens_at(prompt, query))][:, keys].sum(-1).mean()


def attention_to(prompt: Prompt, rows: Tensor, query: Position, token: int) -> Tensor:
    """Mean over the query's tokens of the attention that they pay to the token of this index, 0 after the last."""
    asking = list(tokens_at(prompt, query))
    return rows[asking, token].mean() if token < len(prompt.tokens) else rows.new_zeros(())


def _to_previous(prompt: Prompt, rows: Tensor) -> Tensor:
    return _to(rows, [(q, q - 1) for q, _ in repeats(prompt)])


def _to_duplicate(prompt: Prompt, rows: Tensor) -> Tensor:
    return _to(rows, list(repeats(prompt)))


def _to_successor(prompt: Prompt, rows: Tensor) -> Tensor:
    return _to(rows, [(q, earlier + 1) for q, earlier in repeats(prompt)])


BEHAVIOURS = {"previous_token": _to_previous, "duplicate_token": _to_duplicate, "induction": _to_successor}


def repeats(prompt: Prompt) -> tuple[tuple[int, int], ...]:
    """(index, index of the last earlier occurrence of the same token) for every token that was seen before."""
    seen: dict[int, int] = {}
    pairs = []
    for index, token in enumerate(prompt.tokens):
        if token in seen:
            pairs.append((index, seen[token]))
        seen[token] = index
    return tuple(pairs)


def _to(rows: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    if not pairs:
        raise CannotMeasure("the sequence repeats no token, so there is nothing to score")
    queries, keys = zip(*pairs, strict=True)
    return rows[list(queries), list(keys)].mean()


def _each(activations: Activations, head: Head, batch: Batch, estimate: Any) -> Array:
    patterns = activations[pattern(head.layer)][:, head.index].float()
    return _numbers(estimate(prompt, rows) for prompt, rows in zip(batch.prompts, patterns, strict=True))


# --- copying ---------------------------------------------------------------------------------------


def _copying(reading: Copying, residual: Tensor, batch: Batch, bridge: Any) -> Array:
    """Share of the read tokens whose target is in the top k of the head's OV, for each prompt."""
    spots = [(row, index) for row, p in enumerate(batch.prompts) for index in tokens_at(p, reading.reads.position)]
    rows, indices = (list(part) for part in zip(*spots, strict=True))
    logits = through_ov(bridge, reading.head, residual[rows, indices])
    top = (-logits if reading.negated else logits).topk(reading.k, dim=-1).indices
    hits: dict[int, list[float]] = {}
    for (row, index), best in zip(spots, top, strict=True):
        prompt = batch.prompts[row]
        same_place = reading.reads.token.position == reading.reads.position
        target = prompt.tokens[index] if same_place else token_of(prompt, reading.reads.token)
        hits.setdefault(row, []).append(float(target in best.tolist()))
    return np.array([np.mean(hits[row]) for row in range(len(batch))], dtype=np.float64)


def through_ov(bridge: Any, head: Head, residual: Tensor) -> Tensor:
    """Residuals [n, d_model] -> norm, W_V (and b_V), W_O, final norm, unembedding: logits [n, vocabulary]."""
    block = bridge.blocks[head.layer]
    normed = block.ln1(residual[:, None])[:, 0]
    group = head.index * bridge.W_V.shape[1] // bridge.W_O.shape[1]
    value = normed @ bridge.W_V[head.layer, group]
    bias = getattr(bridge, "b_V", None)
    if bias is not None:
        value = value + bias[head.layer, group]
    written = value @ bridge.W_O[head.layer, head.index]
    return bridge.unembed(bridge.ln_final(written[:, None]))[:, 0]


# --- tokens ----------------------------------------------------------------------------------------


def token_of(prompt: Prompt, token: Token) -> int:
    """The token id that a Token argument means in a prompt."""
    if token.position is None:
        return prompt.answer
    indices = tokens_at(prompt, token.position)
    if len(indices) != 1 or token.position == ALL:
        raise CannotMeasure(f"{token.position} has {len(indices)} tokens in {prompt.text!r} and one is needed")
    return prompt.tokens[indices[0]]


def _numbers(values: Iterable[Tensor]) -> Array:
    return torch.stack([value.double() for value in values]).cpu().numpy()
