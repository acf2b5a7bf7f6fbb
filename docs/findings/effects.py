"""What every head of SmolLM2-135M does on both tasks, and how much the tasks share at every threshold.

``python docs/findings/effects.py`` sweeps all heads, for their way to the logits and by knockout, under the method and
on the prompts of the specs, and writes effects.json, the grids and the overlap curves; followed by ``direct`` it does
the first alone. What ``circuitdsl check`` or ``circuitdsl diff --function`` have measured comes from the results store.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import grids

from circuitdsl import api
from circuitdsl.check.sweep import effects
from circuitdsl.check.workbench import Workbench
from circuitdsl.compare.curve import Curve, Effects, curve
from circuitdsl.components import all_heads
from circuitdsl.engine.store import Store, default_folder
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.comparisons import Kind
from circuitdsl.report.pages.function import curves_svg

FOLDER = Path(__file__).parent
SPECS = FOLDER.parents[1] / "specs" / "smollm2-135m"
TITLES = {"ioi": "IOI", "colored_objects": "Colored Objects"}
KINDS: tuple[Kind, ...] = ("direct", "knockout")


def grid(circuit: Circuit, kind: Kind, found: Effects) -> dict[str, object]:
    """The mean change of the circuit's metric for each head, as rows [layer][head], with what is to be said of it."""
    method, shape = circuit.method, circuit.geometry
    means = found.changes[:, 0].mean(axis=0).reshape(shape.n_layers, shape.n_heads)
    direct = kind == "direct"
    how = f"its way to the logits patched from {method.against}" if direct else f"the head ablated ({method.ablate})"
    return {
        "title": f"{TITLES[circuit.task.name]}, SmolLM2-135M: {'direct effect' if direct else 'knockout'} of each head",
        "note": f"Change of {method.metric} with {how}; {len(found.changes)} prompts, seed {method.seed}",
        "values": [[round(value, 5) for value in row] for row in means.tolist()],
    }


def overlap(kind: Kind, circuits: tuple[Circuit, Circuit], found: tuple[Effects, Effects], bench: Workbench) -> Curve:
    """The overlap curve of the two tasks' effects, with the share that the two specs' lists of heads have in common."""
    left, right = circuits
    quoted = api.compare(left, right).heads.of_smaller
    heads, names = all_heads(left), (left.name, right.name)
    bootstrap = bench.judge(left).bootstrap
    return curve(kind, names, heads, *found, bootstrap, left.method.confidence, left.geometry.n_heads, quoted)


def main(kinds: list[Kind]) -> None:
    left, right = api.load(SPECS / "ioi.circuit", SPECS / "colored_objects.circuit").circuits
    bench = Workbench(store=Store.in_folder(default_folder()))
    file = FOLDER / "effects.json"
    grown = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for kind in kinds:
        found = effects(left, kind, bench.judge(left).session.run), effects(right, kind, bench.judge(right).session.run)
        for circuit, each in zip((left, right), found, strict=True):
            grown[f"{circuit.task.name}-{kind}".replace("_", "-")] = grid(circuit, kind, each)
        drawn = overlap(kind, (left, right), found, bench).to_dict()
        (FOLDER / f"overlap-{kind}.svg").write_text(curves_svg([drawn]), encoding="utf-8")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(grown.items()))
    file.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    grids.main()


if __name__ == "__main__":
    main([kind for kind in KINDS if kind in sys.argv[1:] or not sys.argv[1:]])
