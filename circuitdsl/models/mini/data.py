"""What mini is trained on, and what is held out from it.

A pair of names is held out if its hash says so: no training sentence names both. So is a (colour, thing) pair: no
training scene shows that thing in that colour. One pair in eight is held out.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from circuitdsl.models.mini import tokenizer
from circuitdsl.tasks import colored_objects, ioi
from circuitdsl.tasks.prompts import TextPrompt

POOLS = ioi.Pools(names=tokenizer.NAMES)
_SCENES = colored_objects.Pools()


@dataclass(frozen=True)
class Example:
    """Token ids, the indices of those that the model is asked for, and whether the others make a sentence."""

    tokens: tuple[int, ...]
    asked: tuple[int, ...]
    sentence: bool = True


Maker = Callable[[random.Random], Example]


def held_out(one: str, two: str) -> bool:
    """Whether the pair is kept from training; the order does not matter."""
    return hashlib.sha256("|".join(sorted((one, two))).encode()).digest()[0] % 8 == 0


def held_out_names(prompt: TextPrompt) -> bool:
    """Whether an ``ioi`` prompt pairs two names that no training sentence names together."""
    return held_out(str(prompt.answer).strip(), str(prompt.wrong[0]).strip())


def unseen_things(prompt: TextPrompt) -> list[bool]:
    """For every thing of a ``colored_objects`` prompt, example included: is it in a colour held out from training?"""
    words = {name: [prompt.text[a:b] for a, b in spans] for name, spans in prompt.spans.items()}
    slots = [f"{scene}{{}}{i}" for scene in ("", "X_") for i in (1, 2, 3)]
    return [
        held_out(words[slot.format("C")][0], words[slot.format("O")][0]) for slot in slots if slot.format("C") in words
    ]


def held_out_query(prompt: TextPrompt) -> bool:
    """Whether a ``colored_objects`` prompt asks for a thing in a colour that training never showed it in."""
    (color,), (thing,) = prompt.spans["ANSWER_COLOR"], prompt.spans["QUERY"]
    return held_out(prompt.text[slice(*color)], prompt.text[slice(*thing)])


class Writer:
    """Writes training examples as token ids, for one vocabulary."""

    def __init__(self) -> None:
        self._ids = {word: i for i, word in enumerate(tokenizer.vocabulary())}
        self._words = range(3, len(self._ids))  # without the special tokens

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._ids[word] for word in tokenizer.split(text))

    def repeats(self, rng: random.Random) -> Example:
        """Some random tokens, then a random sequence twice; asked for the second time round, but its first token."""
        lead = rng.choices(self._words, k=rng.randrange(12))
        once = rng.sample(self._words, rng.randint(4, 22))
        start = len(lead) + len(once)
        return Example((*lead, *once, *once), tuple(range(start + 1, start + len(once))), sentence=False)

    def ioi(self, rng: random.Random) -> Example:
        """An IOI sentence of two names that may be trained on."""
        while True:
            prompt = ioi.draw_text(rng.choice(ioi.TEMPLATES), POOLS, rng)
            if not held_out_names(prompt):
                return self._answered(prompt)

    def three_names(self, rng: random.Random) -> Example:
        """The same sentences with a third person acting, who gives to either of the first two."""
        while True:
            names = rng.sample(POOLS.names, 3)
            if not any(held_out(names[i], names[j]) for i, j in ((0, 1), (0, 2), (1, 2))):
                break
        pattern, place, gift = rng.choice(ioi.PATTERNS), rng.choice(POOLS.places), rng.choice(POOLS.gifts)
        text, _ = ioi.sentence(pattern, (names[0], names[1], names[2]), place, gift)
        tokens = self.encode(f"{text} {rng.choice(names[:2])}")
        return Example(tokens, (len(tokens) - 1,))

    def one_scene(self, rng: random.Random) -> Example:
        """A Colored Objects scene without an example."""
        return self._scenes(rng, 0)

    def two_scenes(self, rng: random.Random) -> Example:
        """A Colored Objects scene after a worked one; asked for both answers."""
        example = self._scenes(rng, 1)
        colon = self._ids[":"]
        first_answer = [i for i, token in enumerate(example.tokens) if token == colon][1] + 1
        return replace(example, asked=(first_answer, *example.asked))

    def _scenes(self, rng: random.Random, shots: int) -> Example:
        while True:
            prompt = colored_objects.draw_text(rng.choice(colored_objects.TEMPLATES), _SCENES, rng, shots)
            if not any(unseen_things(prompt)):
                return self._answered(prompt)

    def _answered(self, prompt: TextPrompt) -> Example:
        tokens = self.encode(f"{prompt.text}{prompt.answer}")
        return Example(tokens, (len(tokens) - 1,))


def unseen_ioi(count: int, seed: int) -> list[TextPrompt]:
    """IOI prompts of held-out pairs of names."""
    rng = random.Random(f"ioi {seed}")
    found: list[TextPrompt] = []
    while len(found) < count:
        prompt = ioi.draw_text(rng.choice(ioi.TEMPLATES), POOLS, rng)
        found += [prompt] if held_out_names(prompt) else []
    return found


def unseen_colored_objects(count: int, shots: int, seed: int) -> list[TextPrompt]:
    """Colored Objects prompts that ask for a held-out combination of colour and thing."""
    rng = random.Random(f"colored_objects {shots} {seed}")
    found: list[TextPrompt] = []
    while len(found) < count:
        prompt = colored_objects.draw_text(rng.choice(colored_objects.TEMPLATES), _SCENES, rng, shots)
        found += [prompt] if held_out_query(prompt) else []
    return found
