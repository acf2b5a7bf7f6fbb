"""Measure what every head of SmolLM2-135M does on both tasks: ``python docs/findings/effects.py`` writes effects.json
and, by ``grids.py``, the pictures.

The prompts and the method are those of the specs. What ``circuitdsl check`` and ``circuitdsl diff --function`` have
measured already is taken from the results store.
"""

from __future__ import annotations

import json
from pathlib import Path

import grids

from circuitdsl import api
from circuitdsl.checking import Workbench
from circuitdsl.compare.measures import Kind
from circuitdsl.compare.sweeps import effects
from circuitdsl.engine.store import Store, default_folder
from circuitdsl.language.circuit import Circuit

FOLDER = Path(__file__).parent
SPECS = FOLDER.parents[1] / "specs" / "smollm2-135m"
TASKS = {"ioi": "IOI", "colored-objects": "Colored Objects"}
KINDS: dict[Kind, str] = {"direct": "way to the logits patched from {against}", "knockout": "knocked out, {ablate}"}


def sweep(circuit: Circuit, kind: Kind, title: str, bench: Workbench) -> dict[str, object]:
    """The mean change of the circuit's metric for each head, as rows [layer][head], with what is to be said of it."""
    found = effects(circuit, kind, bench.judge(circuit).session.run)
    means = found.changes[:, 0].mean(axis=0).reshape(circuit.geometry.n_layers, circuit.geometry.n_heads)
    method = circuit.method
    how = KINDS[kind].format(against=method.against, ablate=method.ablate)
    note = f"Change of {method.metric} with a head's {how}" if kind == "direct" else f"Change of {method.metric}, {how}"
    return {
        "title": f"{title}, SmolLM2-135M: each head {'on the logits' if kind == 'direct' else 'knocked out'}",
        "note": f"{note}; {len(found.changes)} prompts, seed {method.seed}",
        "values": [[round(value, 5) for value in row] for row in means.tolist()],
    }


def main() -> None:
    document = api.load(SPECS / "ioi.circuit", SPECS / "colored_objects.circuit")
    bench = Workbench(store=Store.in_folder(default_folder()))
    swept = {
        f"{name}-{kind}": sweep(circuit, kind, title, bench)
        for circuit, (name, title) in zip(document.circuits, TASKS.items(), strict=True)
        for kind in KINDS
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in swept.items())
    (FOLDER / "effects.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    grids.main()


if __name__ == "__main__":
    main()
