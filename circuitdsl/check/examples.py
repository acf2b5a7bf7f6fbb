"""Choose single prompts of a circuit, and read where its heads look on a few of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from circuitdsl.check.bench import Bench
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.outcome import Examples, HeadLook, HeadOutcome, SinglePrompt
from circuitdsl.plan.examples import ExamplesPlan, Look
from circuitdsl.tasks.prompts import Prompt

WORST = 5
"""How many of the prompts that are served worst are listed."""

LOOKED_AT = 2
"""On how many of them, besides the typical one, it is shown where heads look."""

MOST_LOOKS = 30
"""Of a larger circuit the heads whose knockout changes most are shown."""

MOST_TOKENS = 48
"""Of a longer prompt the last tokens are shown."""


def examples_of(plan: ExamplesPlan, heads: Sequence[HeadOutcome], bench: Bench) -> Examples | None:
    """The prompts that the circuit serves worst, and a typical one; None where nothing can be read of any.

    ``heads`` say which matter most.
    """
    prompts = bench.session.prompts(plan.request.data, plan.circuit.method.prompts_first)
    if not prompts:
        return None
    metric = _columns(plan, bench)
    falls = metric[0] - metric[1] if len(metric) == 2 else None
    worst, typical = ((), 0) if falls is None else _chosen(falls)
    shown = (typical, *worst[:LOOKED_AT])
    taken = _Taken(prompts, metric, _looks(plan, bench, heads, [prompts[i] for i in shown], max(shown) + 1), bench)
    found = Examples(len(prompts), tuple(taken.prompt(i, i in shown) for i in worst), taken.prompt(typical, True))
    return found if metric or found.typical.looks else None


def _columns(plan: ExamplesPlan, bench: Bench) -> tuple[Array, ...]:
    """The metric on every prompt, in the model and with the circuit alone, as far as they can be read."""
    results = bench.session.run(plan.metric, plan.circuit.method.prompts_first)
    found: list[Array] = []
    for experiment in plan.metric:
        if isinstance(column := results[experiment], Failure):
            break
        found.append(column)
    return tuple(found)


def _chosen(falls: Array) -> tuple[tuple[int, ...], int]:
    """The prompts on which the circuit alone falls furthest below the model, furthest first, and the one in the middle
    of all by how far it falls. None is among the worst that stands in the better half, or does not fall at all."""
    order = np.argsort(-falls, kind="stable").tolist()
    middle = len(order) // 2
    return tuple(index for index in order[: min(WORST, middle)] if falls[index] > 0), order[middle]


def _strongest(looks: Sequence[Look], heads: Sequence[HeadOutcome]) -> tuple[Look, ...]:
    """At most so many as are shown, in the circuit's order."""
    effects = {(each.head, each.position): abs(each.estimate.value or 0.0) for each in heads}
    most = {head: max(e for (name, _), e in effects.items() if name == head) for head, _ in effects}
    ranked = sorted(looks, key=lambda look: -most.get(str(look.head), 0.0))[:MOST_LOOKS]
    return tuple(look for look in looks if look in ranked)


def _looks(
    plan: ExamplesPlan, bench: Bench, heads: Sequence[HeadOutcome], shown: Sequence[Prompt], count: int
) -> dict[Look, dict[int, Array]]:
    """What heads pay to every token that is shown of these prompts, on the first ``count`` prompts; without those of
    which it cannot be read."""
    tokens = sorted({token for prompt in shown for token in _tokens(prompt)})
    asked = {look: plan.attention(look, tokens) for look in _strongest(plan.looks(), heads)}
    results = bench.session.run([each for some in asked.values() for each in some], count)
    found: dict[Look, dict[int, Array]] = {}
    for look, some in asked.items():
        columns = [column for each in some if not isinstance(column := results[each], Failure)]
        if len(columns) == len(some):
            found[look] = dict(zip(tokens, columns, strict=True))
    return found


def _tokens(prompt: Prompt) -> range:
    """Those of a prompt's tokens that are shown."""
    return range(max(0, len(prompt.tokens) - MOST_TOKENS), len(prompt.tokens))


@dataclass(frozen=True)
class _Taken:
    """What was read of single prompts: the ``metric`` in the model and with the circuit alone, and ``looks``."""

    prompts: Sequence[Prompt]
    metric: Sequence[Array]
    looks: Mapping[Look, Mapping[int, Array]]
    bench: Bench

    def prompt(self, index: int, looked_at: bool) -> SinglePrompt:
        """One of the prompts."""
        prompt, decode = self.prompts[index], self.bench.session.engine.model.tokenizer.decode
        figures = [float(column[index]) for column in self.metric]
        return SinglePrompt(
            text=prompt.text,
            template=prompt.template,
            tokens=tuple(decode([token]) for token in prompt.tokens),
            positions=prompt.positions,
            in_model=figures[0] if figures else None,
            alone=figures[1] if len(figures) > 1 else None,
            looks=tuple(self._look(index, look) for look in self.looks) if looked_at else (),
        )

    def _look(self, index: int, look: Look) -> HeadLook:
        """Where one head looks on one of the prompts."""
        tokens, paid = _tokens(self.prompts[index]), self.looks[look]
        shares = tuple(float(paid[token][index]) for token in tokens)
        return HeadLook(str(look.head), str(look.query), look.roles, tokens.start, shares)
