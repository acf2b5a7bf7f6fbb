"""Every sum and every difference of three-digit numbers, asked of a model: failures by the length of the cascade.

    python -m circuitdsl.models.arithmetic.correctness addition      # 10^6 sums
    python -m circuitdsl.models.arithmetic.correctness arithmetic    # 10^6 sums and 10^6 differences

It prints a table and lists every failure in ``NAME-failures.txt``, a line each: the question with its right answer, and
what the model says.

1. A question is answered right if each token of the answer is the top one after the right ones before it, which is so
   exactly where the model writes the right answer by itself, one top token after another.
2. A cascade has the length of the longest chain of columns out of which one carry or borrow goes: 0 if there is none, 1
   if each ends in the next column, 2 and 3 if it runs on through columns that add up to 9, or whose digits are equal.
   Nothing is borrowed from above the highest digit, so that of a difference the longest is 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.arithmetic import data, tokenizer, train
from circuitdsl.tasks.arithmetic import BEYOND, DIGITS

AT_ONCE = 10_000
OPERATIONS = {"addition": (False,), "arithmetic": (False, True)}
"""What each model was trained on: differences or not."""


@dataclass(frozen=True)
class Answered:
    """Questions of one kind, differences if ``minus``: which were answered right, how long the cascade of each is,
    which pairs of numbers training never showed, and what was said where it was wrong.
    """

    minus: bool
    right: Bool[Tensor, " questions"]
    cascades: Int[Tensor, " questions"]
    held_out: Bool[Tensor, " questions"]
    failures: tuple[str, ...]


def cascades(first: data.Numbers, second: data.Numbers, minus: bool) -> Int[Tensor, " questions"]:
    """How many columns one carry or borrow leaves, where it leaves most."""
    small, large = torch.minimum(first, second), torch.maximum(first, second)
    longest = chain = torch.zeros_like(first)
    for n in range(DIGITS):
        if minus:
            above, below = large // 10**n % 10, small // 10**n % 10
            begins, runs_on = above < below, above == below
        else:
            total = first // 10**n % 10 + second // 10**n % 10
            begins, runs_on = total > 9, total == 9
        chain = torch.where(begins, 1, torch.where(runs_on & (chain > 0), chain + 1, 0))
        longest = torch.maximum(longest, chain)
    return longest


EVERY = torch.arange(BEYOND**2)
"""All pairs of numbers, as the first one times ``BEYOND`` plus the second one."""


def _numbers(pairs: Int[Tensor, " questions"]) -> tuple[data.Numbers, data.Numbers]:
    return pairs // BEYOND, pairs % BEYOND


@torch.no_grad()
def ask(model: GPT2LMHeadModel, minus: bool, pairs: Int[Tensor, " questions"] = EVERY) -> Answered:
    """Ask for the sums, or the differences, of some pairs of numbers."""
    right: list[Tensor] = []
    failures: list[str] = []
    for some in pairs.split(AT_ONCE):
        first, second = _numbers(some)
        tokens = data.written(first, second, torch.full_like(first, minus, dtype=torch.bool))
        said = train.answer_logits(model, tokens).argmax(-1)
        right.append((said == tokens[:, data.QUESTION :]).all(1))
        wrong = ~right[-1]
        failures += map(_failure, tokens[wrong], said[wrong])
    numbers = _numbers(pairs)
    return Answered(minus, torch.cat(right), cascades(*numbers, minus), data.held_out(*numbers), tuple(failures))


def _failure(tokens: Tensor, said: Tensor) -> str:
    return f"{_text(tokens)} says {_text(said)}"


def _text(tokens: Tensor) -> str:
    return "".join(tokenizer.VOCABULARY[token] for token in tokens.tolist())


def table(answered: Answered) -> Iterator[str]:
    """Failures by the length of the cascade, of all, and of the pairs that training never showed."""
    yield f"{'differences' if answered.minus else 'sums':<16} {'asked':>9} {'failed':>7} {'per million':>12}"
    lengths = {f"cascade of {n}": answered.cascades == n for n in range(int(answered.cascades.max()) + 1)}
    for name, some in (lengths | {"all": answered.cascades >= 0, "held out": answered.held_out}).items():
        asked, failed = int(some.sum()), int((some & ~answered.right).sum())
        yield f"{name:<16} {asked:>9,} {failed:>7,} {1e6 * failed / max(1, asked):>12.1f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.arithmetic.correctness")
    parser.add_argument("name", choices=tuple(OPERATIONS))
    parser.add_argument("--folder", type=Path, help="the model folder (default: as shipped)")
    parser.add_argument("--out", type=Path, help="where failures are listed (default NAME-failures.txt)")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    model = training.load(given.folder or train.PACKAGE / given.name)
    failures: list[str] = []
    for minus in OPERATIONS[given.name]:
        answered = ask(model, minus)
        print("\n".join(table(answered)), flush=True)
        failures += answered.failures
    out = given.out or Path(f"{given.name}-failures.txt")
    out.write_text("".join(f"{line}\n" for line in failures))
    print(f"{len(failures)} failures are listed in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
