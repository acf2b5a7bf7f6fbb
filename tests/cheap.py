"""Documents that cost less to check, where a test does not ask what their figures are."""

from __future__ import annotations

from dataclasses import replace

from circuitdsl.language.circuit import Circuit, Document


def with_reference(document: Document, count: int) -> Document:
    """The document with means, and outputs to resample, of so many prompts a group in every circuit."""

    def cheaper(circuit: Circuit) -> Circuit:
        return replace(circuit, method=replace(circuit.method, reference=count))

    circuits, used = (tuple(map(cheaper, some)) for some in (document.circuits, document.used))
    return replace(document, circuits=circuits, used=used)
