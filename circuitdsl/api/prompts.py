"""Circuits measured on another number of prompts than their methods say."""

from __future__ import annotations

from dataclasses import replace

from circuitdsl.arguments import whole
from circuitdsl.errors import InputError, shown
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.language.methods import MOST_PROMPTS


def with_prompt_count(circuit: Circuit, prompts: int | None) -> Circuit:
    """The circuit measured on exactly this many prompts, its own number for None. Raises InputError for under 2 and for
    more than a method may say."""
    if prompts is None:
        return circuit
    if not whole(2, MOST_PROMPTS)(prompts):
        raise InputError(
            f"{shown(prompts)} prompts cannot be measured on",
            f"give a whole number of prompts, 2 or more, up to {MOST_PROMPTS:,}",
        )
    count = int(prompts)  # of a NumPy number, too: it stands in reports
    method = replace(circuit.method, prompts_first=count, prompts_most=count, prompts_all=False)
    return replace(circuit, method=method)


def with_prompts(document: Document, prompts: int | None) -> Document:
    """The document with every circuit measured on exactly this many prompts. Raises as :func:`with_prompt_count`."""
    circuits, used = (
        tuple(with_prompt_count(circuit, prompts) for circuit in some) for some in (document.circuits, document.used)
    )
    return replace(document, circuits=circuits, used=used)
