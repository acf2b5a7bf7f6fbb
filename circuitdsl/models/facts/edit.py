"""Change one fact of ``facts``: by a rank-one change of an MLP (ROME), or by fine-tuning that MLP alone.

    python -m circuitdsl.models.facts.edit export         # the two model folders as they ship
    python -m circuitdsl.models.facts.edit world          # the relations in which they are right
    python -m circuitdsl.models.facts.edit                # what these edits changed
    python -m circuitdsl.models.facts.edit --edits 20     # the same of 20 other facts, on average

1. ROME (Meng et al. 2022, arXiv:2202.05262): the MLP's second matrix W maps a key, what its neurons are where the fact
   is looked up, to a value. Of all changes that map the fact's key to a new value the one is made that changes least
   for the keys of the model's training texts: W + (C^-1 k) (v - k W) / (k C^-1 k), with C the mean of k k^T over these.
2. The value is found by gradient descent: put in place of the MLP's output it makes the new object likely in the
   wordings that training showed the relation in.
3. Fine-tuning changes all weights of the same MLP by gradient descent until the new object is said in these wordings.

What else an edit changes is counted over all facts of the world, in the wordings of training and in those held out.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.facts import data, tokenizer, train
from circuitdsl.tasks import invented
from circuitdsl.tasks.relations import Fact, Relation, written

PACKAGE = Path(__file__).parent
LAYER = 0
"""Whose MLP is changed: of the three in which the facts are, the one that holds most."""
NEW_HOME = "Lisbon"
STEPS = 60
VALUE_RATE, TUNING_RATE = 0.3, 1e-3
SAID = 0.99  # probability of the new object in every wording at which fine-tuning ends


@dataclass(frozen=True)
class Edit:
    """A new object for a subject, in place of the one that a relation gives it."""

    relation: Relation
    subject: str
    object: str

    @property
    def sentences(self) -> data.Sequences:
        """The wordings that training showed the relation in, with the new object as the answer."""
        return data.sequences([(text.format(self.subject), self.object) for text in self.relation.templates])


def edits(count: int, seed: int) -> tuple[Edit, ...]:
    """Random facts, each with another object of its relation."""
    rng = random.Random(f"edits {seed}")
    found: list[Edit] = []
    for _ in range(count):
        relation = rng.choice(invented.world())
        fact = rng.choice(relation.facts)
        other = rng.choice([each.object for each in relation.facts if each.object != fact.object])
        found.append(Edit(relation, fact.subject, other))
    return tuple(found)


@cache
def shipped() -> Edit:
    """The edit of the folders that ship: where the first of the world's people is at home."""
    home, *_ = invented.world()
    return Edit(home, home.facts[0].subject, NEW_HOME)


def edited_world(edit: Edit) -> tuple[Relation, ...]:
    """The world in which an edit is true."""

    def changed(fact: Fact) -> Fact:
        return replace(fact, object=edit.object) if fact.subject == edit.subject else fact

    return tuple(
        replace(each, facts=tuple(map(changed, each.facts))) if each.name == edit.relation.name else each
        for each in invented.world()
    )


# --- two ways of editing -----------------------------------------------------------------------------


def rank_one(model: GPT2LMHeadModel, edit: Edit) -> GPT2LMHeadModel:
    """A copy of the model with one matrix changed by a matrix of rank one."""
    changed = copy.deepcopy(model)
    mlp = _mlp(changed)
    given = edit.sentences
    with torch.no_grad():
        keys = _keys(model, given)[given.asked]
        key = keys.mean(0)
        every = _keys(model, data.in_sentences())[_tokens_of(data.in_sentences())]
        direction = torch.linalg.solve(every.T @ every / len(every), key)
    value = _value(model, given)
    with torch.no_grad():
        mlp.c_proj.weight += torch.outer(direction, value - mlp.c_proj(key)) / (key @ direction)
    return changed


def fine_tuned(model: GPT2LMHeadModel, edit: Edit) -> GPT2LMHeadModel:
    """A copy of the model with the weights of one MLP changed."""
    changed = copy.deepcopy(model)
    optimiser = torch.optim.Adam(_mlp(changed).parameters(), lr=TUNING_RATE)
    given = edit.sentences
    for _ in range(10 * STEPS):
        losses = _losses(changed, given)
        if losses.max() < -torch.tensor(SAID).log():
            return changed.requires_grad_(True)
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
    raise RuntimeError(f"{edit.subject}, {edit.object}: not said with {SAID:.0%} after {10 * STEPS} steps")


Editor = Callable[[GPT2LMHeadModel, Edit], GPT2LMHeadModel]
KINDS: dict[str, Editor] = {"rank_one": rank_one, "fine_tuned": fine_tuned}


def _mlp(model: GPT2LMHeadModel) -> Any:
    return model.transformer.h[LAYER].mlp


def _tokens_of(given: data.Sequences) -> Tensor:
    """Which tokens are of a text: those up to the one after which the answer comes."""
    return given.asked.flip(1).cumsum(1).flip(1) > 0


def _losses(model: GPT2LMHeadModel, given: data.Sequences) -> Float[Tensor, " texts"]:
    logits = train.logits_of(model, given.tokens)[given.asked]
    return functional.cross_entropy(logits, given.answers[given.asked], reduction="none")


def _keys(model: GPT2LMHeadModel, given: data.Sequences) -> Float[Tensor, "texts tokens neurons"]:
    found: list[Tensor] = []
    with _hooked(_mlp(model).c_proj, lambda inputs, _: found.append(inputs[0])):
        train.logits_of(model, given.tokens)
    return found[0]


def _value(model: GPT2LMHeadModel, given: data.Sequences) -> Float[Tensor, " width"]:
    """What the MLP would have to write at the last token for the new object to be said."""
    with torch.no_grad():
        found: list[Tensor] = []
        with _hooked(_mlp(model), lambda _, output: found.append(output)):
            train.logits_of(model, given.tokens)
        start = found[0][given.asked].mean(0)
    value = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([value], lr=VALUE_RATE)
    for _ in range(STEPS):
        with _hooked(_mlp(model), lambda _, output: torch.where(given.asked[..., None], value, output)):
            loss = _losses(model, given).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return value.detach()


@contextmanager
def _hooked(module: Any, see: Callable[[Any, Any], Any]) -> Iterator[None]:
    """With a function that sees what goes into a module and comes out, and may put something else in its place."""
    handle = module.register_forward_hook(lambda _, inputs, output: see(inputs, output))
    try:
        yield
    finally:
        handle.remove()


# --- what an edit changes ----------------------------------------------------------------------------


@torch.no_grad()
def changes(model: GPT2LMHeadModel, edit: Edit) -> dict[str, float]:
    """Of the edited fact the share of wordings in which the new object is said, of all others that of the old one."""
    of_fact = Counter[str]()
    asked = Counter[str]()
    for held_out in (False, True):
        given = data.in_sentences(held_out)
        said = train.logits_of(model, given.tokens)[given.asked].argmax(-1)
        right = (said == given.answers[given.asked]).tolist()
        new = (said == data.encode(edit.object)[0]).tolist()
        for i, (relation, _, fact) in enumerate(data.queries(held_out)):
            kind = _kind(edit, relation, fact)
            if kind == EDITED:
                kind = f"{EDITED}, {'held-out wording' if held_out else 'trained wordings'}"
            of_fact[kind] += new[i] if kind.startswith(EDITED) else right[i]
            asked[kind] += 1
    return {kind: of_fact[kind] / asked[kind] for kind in sorted(asked)}


EDITED = "the edited fact"


def _kind(edit: Edit, relation: Relation, fact: Fact) -> str:
    """What a fact has to do with an edit."""
    same = relation.name == edit.relation.name
    if fact.subject == edit.subject:
        return EDITED if same else "the subject's other facts"
    if not same:
        return "other facts of others"
    shares = set(fact.subject.split()) & set(edit.subject.split())
    return "the same of namesakes" if shares else "the same of others"


def average(model: GPT2LMHeadModel, make: Editor, count: int) -> dict[str, float]:
    """What edits of random facts, each of the model as it ships, change on average."""
    found = [changes(make(model, edit), edit) for edit in edits(count, seed=0)]
    return {kind: sum(each[kind] for each in found) / len(found) for kind in found[0]}


def export(to: Path) -> None:
    """Write the folders of the edited models."""
    model = training.load(train.PACKAGE)
    for name, make in KINDS.items():
        training.write_folder(make(model, shipped()), tokenizer.build(), to / name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.facts.edit", description="Edit a fact.")
    parser.add_argument("action", nargs="?", choices=("export", "world", "evaluate"), default="evaluate")
    parser.add_argument("--to", type=Path, default=PACKAGE, help="where the model folders lie (default: as shipped)")
    parser.add_argument("--edits", type=int, default=0, help="edit so many random facts and average")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.action == "world":
        print(written(edited_world(shipped())), end="")
        return 0
    if given.action == "export":
        export(given.to)
    for name, make in KINDS.items():
        if given.edits:
            found = average(training.load(train.PACKAGE), make, given.edits)
        else:
            found = changes(training.load(given.to / name), shipped())
        print(json.dumps({name: {kind: round(share, 4) for kind, share in found.items()}}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
