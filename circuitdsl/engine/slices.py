"""Which prompts go through a model side by side. No torch: whoever looks into the results store cuts as engines do."""

from __future__ import annotations

from collections.abc import Sequence

from circuitdsl.tasks.prompts import Prompt

TOKENS_A_PASS = 4096
"""Prompts of a pass times their padded length; it bounds the memory of caches."""


def in_batches(prompts: Sequence[Prompt], tokens: int) -> list[list[Prompt]]:
    """Consecutive prompts in groups of at most ``tokens`` tokens once padded, and at least one prompt."""
    groups: list[list[Prompt]] = []
    longest = 0
    for prompt in prompts:
        longest = max(longest, len(prompt.tokens))
        if groups and (len(groups[-1]) + 1) * longest <= tokens:
            groups[-1].append(prompt)
        else:
            groups.append([prompt])
            longest = len(prompt.tokens)
    return groups
