"""Prompts as a model reads them: token by token, with the task's positions marked."""

from __future__ import annotations

from typing import Protocol

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.report.text import Text
from circuitdsl.tasks.prompts import Prompt, PromptSet


class Tokenizer(Protocol):
    """What is needed of a tokenizer to show what it made of a text."""

    def decode(self, tokens: list[int], /) -> str: ...


def render_prompts(drawn: PromptSet, tokenizer: Tokenizer) -> RenderableType:
    """Every prompt of a set, then what the tokenizer made the task leave out."""
    notes = [Text(f"note: {note}", style="dim") for note in drawn.notes]
    return Group(*(_prompt(prompt, tokenizer) for prompt in drawn.prompts), *notes)


def _prompt(prompt: Prompt, tokenizer: Tokenizer) -> RenderableType:
    names: dict[int, list[str]] = {}
    for name, indices in prompt.positions.items():
        for index in indices:
            names.setdefault(index, []).append(name)
    line = Text()
    for index, token in enumerate(prompt.tokens):
        here = names.get(index)
        line.append(f"{_shown(tokenizer, token)}", style="bold cyan" if here else "")
        line.append(f"[{' '.join(here)}] " if here else " ", style="green" if here else "")
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=False)
    facts.add_row("answer", Text(repr(tokenizer.decode([prompt.answer]))))
    facts.add_row("wrong", Text(", ".join(repr(tokenizer.decode([token])) for token in prompt.wrong)))
    for name, answers in prompt.elsewhere.items():
        facts.add_row(f"at {name}", Text(", ".join(repr(tokenizer.decode([token])) for token in answers.right)))
    for name, tokens in prompt.counterfactuals.items():
        facts.add_row(name, _changes(prompt, tokens, tokenizer))
    for variable, token in prompt.predicted.items():
        facts.add_row(f"by {variable}", Text(repr(tokenizer.decode([token]))))
    return Group(Text(f"{prompt.template}, {len(prompt.tokens)} tokens", style="dim"), line, facts, Text())


def _changes(prompt: Prompt, tokens: tuple[int, ...], tokenizer: Tokenizer) -> Text:
    """Where a counterfactual differs, as ``14: John -> Mary``."""
    pairs = enumerate(zip(prompt.tokens, tokens, strict=True))
    changes = (
        f"{index}: {_shown(tokenizer, before)} → {_shown(tokenizer, after)}"
        for index, (before, after) in pairs
        if before != after
    )
    return Text(", ".join(changes))


def _shown(tokenizer: Tokenizer, token: int) -> str:
    """A token as it stands in the text; white space alone, and line ends, are made visible."""
    text = tokenizer.decode([token])
    return text.replace("\n", "⏎").strip() or repr(text)
