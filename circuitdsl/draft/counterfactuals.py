"""Which counterfactuals a draft patches from: a patch shows only what its counterfactual changes."""

from __future__ import annotations

from collections.abc import Sequence

from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.diagnostics import suggestion
from circuitdsl.tasks.prompts import Prompt

EVERY = "all"
"""What stands for all counterfactuals of a task."""


def named(circuit: Circuit, wanted: Sequence[str]) -> tuple[str, ...]:
    """The counterfactuals that are wanted by name, each once; ``all`` stands for all of the task's, its own first.

    Raises InputError for one that the task does not have.
    """
    known = [name for name, _ in circuit.task_info.counterfactuals]
    every = () if EVERY in known else (circuit.method.against, *known)
    found = [each for name in wanted for each in (every if name == EVERY and every else (name,))]
    for name in found:
        if name not in known:
            remedy = suggestion(name, known, "counterfactual")
            raise InputError(f"task {circuit.task_info.name} has no counterfactual `{name}`", f"{remedy}, or `{EVERY}`")
    return tuple(dict.fromkeys(found))


def chosen(own: str, prompts: Sequence[Prompt]) -> tuple[str, ...]:
    """Those that are taken where none is named: the task's ``own``, and after it every one that changes a token which
    none before it changes, on more than half of the prompts.

    So IOI's `abc`, which changes every name, is alone. Colored Objects' `other_query` asks another question about
    the same scene, and two more are taken, by which what reads the scene is seen.
    """
    taken = [own]
    changed = [_changed(prompt, own) for prompt in prompts]
    for name in dict.fromkeys(name for prompt in prompts for name in prompt.counterfactuals):
        also = [_changed(prompt, name) for prompt in prompts]
        more = sum(not new <= known for new, known in zip(also, changed, strict=True))
        if 2 * more > len(prompts):
            taken.append(name)
            changed = [new | known for new, known in zip(also, changed, strict=True)]
    return tuple(taken)


def _changed(prompt: Prompt, counterfactual: str) -> frozenset[int]:
    """The tokens that a counterfactual changes; none if the prompt does not have it."""
    other = prompt.counterfactuals.get(counterfactual, prompt.tokens)
    return frozenset(place for place, (old, new) in enumerate(zip(prompt.tokens, other, strict=True)) if old != new)
