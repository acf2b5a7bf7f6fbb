"""What the model is trained on: ``The Hingeoats Wagon Nylonvinesyoke (HWN``, words of one to three tails.

After ``The`` stand none to two tails more. So no letter has a fixed place, and a word has to be found as the first,
second or third. Any tail may follow any capital: a tail tells nothing of the letter. One set of three letters in eight
is held out from training, by a hash of the three.
"""

from __future__ import annotations

from random import Random

import torch
from jaxtyping import Int
from torch import Tensor

from circuitdsl.models.acronyms.tokenizer import BOS, CAPITAL, CONTEXT, LETTER, PAD, TAIL, TAILS, VOCABULARY

LETTERS = 26
WORDS = 3
MOST_TAILS = 3
MOST_BEFORE = 2  # tails that stand after the first word, The
_PAD, _BOS, _THE, _OPEN = map(VOCABULARY.index, (PAD, BOS, "The", " ("))


def held_out(letters: tuple[int, int, int]) -> bool:
    """Which letters (0 to 25) are kept from training."""
    first, second, third = letters
    return (first * 7919 + second * 104729 + third * 1299709) // 97 % 8 == 0


def written(letters: tuple[int, int, int], before: int, tails: tuple[int, int, int], rng: Random) -> list[int]:
    """The tokens of one text: BOS, ``The`` and ``before`` tails, words of ``tails`` tails, the bracket, the letters."""
    text = [_BOS, _THE, *_drawn(before, rng)]
    for letter, count in zip(letters, tails, strict=True):
        text += [CAPITAL + letter, *_drawn(count, rng)]
    return [*text, _OPEN, *(LETTER + letter for letter in letters)]


def _drawn(count: int, rng: Random) -> list[int]:
    return [TAIL + rng.randrange(len(TAILS)) for _ in range(count)]


def letters_of(rng: Random, held: bool) -> tuple[int, int, int]:
    """Three different letters that are held out, or are not."""
    while True:
        first, second, third = rng.sample(range(LETTERS), WORDS)
        if held_out((first, second, third)) == held:
            return first, second, third


def training_batch(count: int, rng: Random) -> list[list[int]]:
    """Texts of all lengths, without the letters that are held out."""
    return [
        written(
            letters_of(rng, held=False),
            rng.randint(0, MOST_BEFORE),
            (rng.randint(1, MOST_TAILS), rng.randint(1, MOST_TAILS), rng.randint(1, MOST_TAILS)),
            rng,
        )
        for _ in range(count)
    ]


def padded(texts: list[list[int]]) -> tuple[Int[Tensor, "texts tokens"], Int[Tensor, "texts letters"]]:
    """Texts as one tensor, padded at their ends, and the index of each of their letters."""
    length = max(map(len, texts))
    assert length <= CONTEXT
    tokens = torch.tensor([[*text, *[_PAD] * (length - len(text))] for text in texts])
    return tokens, torch.tensor([[len(text) - n for n in range(WORDS, 0, -1)] for text in texts])
