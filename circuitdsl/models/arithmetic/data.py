"""What the models are trained on and asked: ``345+123=+0468``, ``345-678=-0333``. A token a character.

One pair of numbers in eight is held out from training, of sums and of differences alike, by a hash of the two.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitdsl.models.arithmetic.tokenizer import DIGIT, EQUALS, MINUS, PLUS
from circuitdsl.tasks.arithmetic import DIGITS

QUESTION = 2 * DIGITS + 2
"""Tokens up to and with the equals sign. A sign and one digit more than the numbers have follow."""
CHAINED = 0.4  # share of the questions that are written so that carries or borrows run on more often
LINKS = 0.4  # share of the digits of these that hand on what comes from below

Numbers = Int[Tensor, " questions"]


def held_out(first: Numbers, second: Numbers) -> Bool[Tensor, " questions"]:
    """Which pairs of numbers are kept from training."""
    return (first * 7919 + second * 104729) // 97 % 8 == 0


def written(first: Numbers, second: Numbers, minus: Bool[Tensor, " questions"]) -> Int[Tensor, "questions tokens"]:
    """Questions with their right answers, as tokens."""
    answers = torch.where(minus, first - second, first + second)
    operators = torch.where(minus, MINUS, PLUS)
    signs = torch.where(answers < 0, MINUS, PLUS)
    equals = torch.full_like(operators, EQUALS)
    parts = (_digits(first, DIGITS), operators, _digits(second, DIGITS), equals, signs, _digits(answers, DIGITS + 1))
    return torch.cat([part if part.dim() == 2 else part[:, None] for part in parts], dim=1)


def _digits(numbers: Numbers, count: int) -> Int[Tensor, "questions digits"]:
    """The tokens of the digits, highest first."""
    places = 10 ** torch.arange(count - 1, -1, -1)
    return numbers.abs()[:, None] // places % 10 + DIGIT


def training_batch(count: int, subtractions: float, rng: torch.Generator) -> Int[Tensor, "questions tokens"]:
    """About ``count`` questions with answers, ``subtractions`` of them differences; held-out pairs are left out.

    In ``CHAINED`` of them each pair of digits hands on what comes from below with ``LINKS`` more: digits of a sum
    that add up to nine, digits of a difference that are equal (Quirke et al. 2024 enrich theirs so).
    """
    first, second = torch.randint(10, (2, count, DIGITS), generator=rng)
    minus = torch.rand(count, generator=rng) < subtractions
    chained = torch.rand(count, 1, generator=rng) < CHAINED
    linked = chained & (torch.rand(count, DIGITS, generator=rng) < LINKS)
    second = torch.where(linked, torch.where(minus[:, None], first, 9 - first), second)
    places = 10 ** torch.arange(DIGITS - 1, -1, -1)
    one, two = (first * places).sum(1), (second * places).sum(1)
    kept = ~held_out(one, two)
    return written(one[kept], two[kept], minus[kept])
