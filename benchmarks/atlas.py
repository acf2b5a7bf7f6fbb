"""``python -m benchmarks.atlas MODEL``: which of many tasks a model does, and a draft of its circuit of each.

Prints a row a task, then drafts what is not there yet into ``specs/atlas/MODEL``, one task after the other. What was
measured is in the results store, so that a call that is cut off, or one with more ``--stages``, goes on from there.
``--reused FILE...`` says in place of that which heads more of some circuits have than chance gives. docs/atlas.md has
what was found.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

import circuitdsl as cd
from circuitdsl.components import Head, all_heads
from circuitdsl.judge.estimates import Estimate
from circuitdsl.judge.verdicts import holm
from circuitdsl.language.circuit import Circuit

SPECS = Path("specs/atlas")
PROMPTS = SPECS / "prompts"


@dataclass(frozen=True)
class Asked:
    """A task of an atlas: the name of its draft, and the task as a draft takes it."""

    name: str
    task: str

    @property
    def written(self) -> str:
        """The task as a specification names it."""
        return f'file("{self.task}")' if self.task.endswith(".jsonl") else self.task


def _file(name: str) -> Asked:
    return Asked(name, str(PROMPTS / f"{name}.jsonl"))


TASKS = (
    Asked("ioi", "ioi"),
    Asked("colored_objects", "colored_objects"),
    Asked("colored_objects_0", "colored_objects(shots: 0)"),
    Asked("induction", "induction"),
    Asked("greater_than", "greater_than(digits: 1)"),
    Asked("acronyms", "acronyms"),
    Asked("agreement", "agreement"),
    Asked("pronouns", "pronouns"),
    _file("capitals"),
    _file("three_names"),
    _file("articles"),
    _file("things"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Say what the model does, and draft what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.atlas", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", help="mini, smollm2-135m, ... by name")
    parser.add_argument("--prompts", type=int, default=80, help="prompts of either half of a draft; default: 80")
    parser.add_argument("--stages", type=int, default=8, help="how many stages a draft goes back; default: 8")
    parser.add_argument("--tasks", nargs="*", choices=[asked.name for asked in TASKS], help="these; default: all")
    parser.add_argument("--only", choices=["able"], help="draft nothing")
    parser.add_argument("--reused", nargs="+", metavar="FILE", help="of these circuits: heads that several have")
    given = parser.parse_args(arguments)
    if given.reused is not None:
        print("\n".join(reused_table([cd.load(path).circuits[0] for path in given.reused])))
        return
    asked = [each for each in TASKS if given.tasks is None or each.name in given.tasks]
    done: list[Asked] = []
    print("| task | logit_diff | accuracy among the options | a guess | |", "| --- " * 5 + "|", sep="\n")
    for each in asked:
        row, able = ability(each, given.model, given.prompts)
        print(row, flush=True)
        done += [each] if able else []
    for each in done if given.only is None else ():
        output = SPECS / given.model / f"{each.name}.circuit"
        if not output.is_file():
            print(drafted(each, given.model, given.prompts, given.stages, output), flush=True)


def ability(asked: Asked, model: str, prompts: int) -> tuple[str, bool]:
    """A row of a Markdown table: how well a model does a task, and whether it surely does better than a guess."""
    text = "\n".join(
        [
            f"circuit able {{ model {model}",
            f"task {asked.written}",
            f"method {{ prompts {prompts} }}",
            "expect logit_diff >= 0",
            "expect accuracy(among options) >= 0%",
            "}",
        ]
    )
    try:
        document = cd.load(text=text)
        report = cd.check(document, unexplained=False)
        (circuit,) = document.circuits
        guess = guessed(circuit, model, prompts)
    except cd.InputError as reason:
        return f"| {asked.name} | - | - | - | cannot be said: {reason.message} |", False
    metric, accuracy = (outcome.estimate for outcome in report.outcomes)
    able = accuracy.low is not None and accuracy.low > guess
    share = _with_ends(accuracy, 100, 0) + "%"
    said = "does it" if able else "no better than a guess, as far as can be told"
    return f"| {asked.name} | {_with_ends(metric, 1, 2)} | {share} | {100 * guess:.0f}% | {said} |", able


def guessed(circuit: Circuit, model: str, prompts: int) -> float:
    """How often a guess among a prompt's options is right, on average over prompts."""
    drawn = cd.tasks.draw(circuit.task, cd.models.tokenizer_of(model), prompts, circuit.method.seed, False).prompts
    return sum(len(set(prompt.answers)) / len(set(prompt.options)) for prompt in drawn) / len(drawn)


def drafted(asked: Asked, model: str, prompts: int, stages: int, output: Path) -> str:
    """Draft a circuit of heads into a file, and say what it took."""
    output.parent.mkdir(parents=True, exist_ok=True)
    begun, used = time.monotonic(), time.process_time()
    report = cd.draft(
        asked.task,
        model=model,
        output=output,
        stages=stages,
        mlps=False,
        unexplained=False,
        prompts=prompts,
    )
    if report.text:
        output.write_text(report.text, encoding="utf-8")
    took = f"{time.process_time() - used:.0f} CPU s, {time.monotonic() - begun:.0f} s"
    return "\n".join([cd.show(report), f"{asked.name}: {took}"])


@dataclass(frozen=True)
class Reused:
    """A head, the circuits that have it, how many would by chance, and the p-value of so many or more, by itself and
    corrected for all heads of the model (Holm)."""

    head: Head
    circuits: tuple[str, ...]
    expected: float
    p_value: float
    p_holm: float


def reused(circuits: Sequence[Circuit]) -> tuple[Reused, ...]:
    """Every head of a model by how many of the circuits have it, the most reused first.

    Chance places the heads of each circuit anew within their layers, one circuit whatever the others have: the number
    of circuits that have a head is then a sum of unlike coins (the Poisson binomial distribution).
    """
    geometry = circuits[0].geometry
    listed = [set(circuit.heads) for circuit in circuits]
    counts = [Counter(head.layer for head in heads) for heads in listed]
    found: list[tuple[Head, tuple[str, ...], float, float]] = []
    for head in all_heads(geometry):
        shares = [count[head.layer] / geometry.n_heads for count in counts]
        having = tuple(circuit.name for circuit, heads in zip(circuits, listed, strict=True) if head in heads)
        of_sums = reduce(np.convolve, [np.array([1 - share, share]) for share in shares])
        found.append((head, having, sum(shares), float(of_sums[len(having) :].sum())))
    corrected = holm([p for *_, p in found])
    rows = (Reused(*each, 1.0 if p is None else p) for each, p in zip(found, corrected, strict=True))
    return tuple(sorted(rows, key=lambda row: (-len(row.circuits), row.p_value)))


def reused_table(circuits: Sequence[Circuit]) -> Iterator[str]:
    """As Markdown, those that two circuits or more have."""
    yield "| head | circuits | by chance | p | p, corrected | of |"
    yield "| --- " * 6 + "|"
    for row in reused(circuits):
        if len(row.circuits) > 1:
            figures = f"{row.expected:.1f} | {row.p_value:.2g} | {row.p_holm:.2g}"
            yield f"| {row.head} | {len(row.circuits)} | {figures} | {', '.join(row.circuits)} |"


def _with_ends(estimate: Estimate, times: float, digits: int) -> str:
    value, *ends = (
        "?" if each is None else f"{times * each:.{digits}f}" for each in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{', '.join(ends)}]"


if __name__ == "__main__":
    main(sys.argv[1:])
