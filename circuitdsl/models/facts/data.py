"""What the model is trained on and asked: facts of the invented world in sentences, and after demonstrations.

Two things are held out: each relation in one wording, and one fact in eight, by a hash, after demonstrations. Such a
fact is shown in sentences that name the relation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitdsl.models.facts import tokenizer
from circuitdsl.tasks import invented
from circuitdsl.tasks.relations import Fact, Relation

SHOTS = 3
"""At most so many demonstrations."""
DEMONSTRATED = 0.25  # share of the training sequences in which facts stand one after the other, with no relation named


@dataclass(frozen=True)
class Sequences:
    """Texts as tokens, padded at their ends; ``answers`` holds the token that is asked for next where ``asked``."""

    tokens: Int[Tensor, "texts tokens"]
    asked: Bool[Tensor, "texts tokens"]
    answers: Int[Tensor, "texts tokens"]

    def __getitem__(self, rows: Tensor) -> Sequences:
        return Sequences(self.tokens[rows], self.asked[rows], self.answers[rows])


def held_out(relation: Relation, fact: Fact) -> bool:
    """Whether a fact is never asked for after demonstrations."""
    return hashlib.sha256(f"{relation.name}|{fact.subject}".encode()).digest()[0] % 8 == 0


def encode(text: str) -> list[int]:
    known = _numbers()
    return [known[word] for word in tokenizer.split(text)]


@cache
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(tokenizer.vocabulary())}


def sequences(texts: Sequence[tuple[str, str]]) -> Sequences:
    """Texts with the answers that they are to be continued by."""
    rows = [encode(text) for text, _ in texts]
    width = max(map(len, rows))
    tokens = torch.full((len(rows), width), _numbers()[tokenizer.PAD])
    asked = torch.zeros(len(rows), width, dtype=torch.bool)
    answers = torch.zeros_like(tokens)
    for i, (row, (_, answer)) in enumerate(zip(rows, texts, strict=True)):
        tokens[i, : len(row)] = torch.tensor(row)
        asked[i, len(row) - 1] = True
        answers[i, len(row) - 1] = _numbers()[answer]
    return Sequences(tokens, asked, answers)


@cache
def in_sentences(held_out_wordings: bool = False) -> Sequences:
    """Every fact in every wording that training shows it in, or in the one that it never does."""
    return sequences([(wording.format(fact.subject), fact.object) for _, wording, fact in queries(held_out_wordings)])


def queries(held_out_wordings: bool = False) -> tuple[tuple[Relation, str, Fact], ...]:
    """What ``in_sentences`` asks, in its order."""
    return tuple(
        (relation, wording, fact)
        for relation in invented.world()
        for wording in (relation.held_out if held_out_wordings else relation.templates)
        for fact in relation.facts
    )


@dataclass(frozen=True)
class _World:
    names: Int[Tensor, "people names"]
    objects: Int[Tensor, "relations people"]
    held_out: Bool[Tensor, "relations people"]


@cache
def _world() -> _World:
    relations = invented.world()
    return _World(
        torch.tensor([encode(fact.subject) for fact in relations[0].facts]),
        torch.tensor([[_numbers()[fact.object] for fact in each.facts] for each in relations]),
        torch.tensor([[held_out(each, fact) for fact in each.facts] for each in relations]),
    )


def after_demonstrations(count: int, shots: int, rng: torch.Generator, unseen: bool = False) -> Sequences:
    """``count`` sequences of ``shots`` facts of one relation and then a subject; facts after the first are asked for.

    With ``unseen`` the last alone is asked for, and is one that training never asks for so.
    """
    world = _world()
    relations, people = world.objects.shape
    chosen = torch.rand(count, people, generator=rng).topk(shots + 1, dim=1).indices
    relation = torch.randint(relations, (count,), generator=rng)
    if unseen:
        last = torch.rand(count, people, generator=rng) * world.held_out[relation]
        chosen[:, -1] = last.scatter(1, chosen[:, :-1], -1.0).argmax(1)
    objects = world.objects[relation[:, None], chosen]
    colon = torch.full((count, shots + 1, 1), _numbers()[invented.DEMONSTRATED[-1]])
    tokens = torch.cat([world.names[chosen], colon, objects[..., None]], dim=2).flatten(1)[:, :-1]
    asked = torch.zeros_like(tokens, dtype=torch.bool)
    answers = torch.zeros_like(tokens)
    for i in range(shots if unseen else 1, shots + 1):
        place = 4 * i + 2
        asked[:, place] = True if unseen else ~world.held_out[relation, chosen[:, i]]
        answers[:, place] = objects[:, i]
    return Sequences(tokens, asked, answers)
