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

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.check.ranking import effects
from circuitdsl.check.workbench import Workbench
from circuitdsl.compare.curve import Effects, curve, mean_changes
from circuitdsl.components import all_heads
from circuitdsl.engine.store import Store
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.comparisons import Kind
from circuitdsl.plan.ranking import Ranking
from circuitdsl.report.charts.curves import curves
from circuitdsl.report.charts.drawing import svg

FOLDER = Path(__file__).parent
SPECS = FOLDER.parents[1] / "specs" / "smollm2-135m"
TITLES = {"ioi": "IOI", "colored_objects": "Colored Objects"}
KINDS: tuple[Kind, ...] = ("direct", "knockout")


def grid(circuit: Circuit, kind: Kind, found: Effects, bench: Bench) -> dict[str, object]:
    """The mean change of the circuit's metric for each head, as rows [layer][head], with what is to be said of it."""
    method, shape = circuit.method, circuit.geometry
    means = mean_changes(found, bench.bootstrap)[0].reshape(shape.n_layers, shape.n_heads)
    direct = kind == "direct"
    how = f"its way to the logits patched from {method.against}" if direct else f"the head ablated ({method.ablate})"
    return {
        "title": f"{TITLES[circuit.task.name]}, SmolLM2-135M: {'direct effect' if direct else 'knockout'} of each head",
        "note": f"Change of {method.metric} with {how}; {len(found.changes)} prompts, seed {method.seed}",
        "values": [[round(value, 5) for value in row] for row in means.tolist()],
    }


def main(kinds: list[Kind]) -> None:
    left, right = cd.load(SPECS / "ioi.circuit", SPECS / "colored_objects.circuit").circuits
    bench = Workbench(store=Store.in_folder()).bench(left)
    quoted = cd.compare(left, right).heads.of_smaller
    file = FOLDER / "effects.json"
    grown = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for kind in kinds:
        found = effects(Ranking(left, kind), bench), effects(Ranking(right, kind), bench)
        for circuit, each in zip((left, right), found, strict=True):
            grown[f"{circuit.task.name}-{kind}".replace("_", "-")] = grid(circuit, kind, each, bench)
        heads, shape, confidence = all_heads(left.geometry), left.geometry, left.method.confidence
        drawn = curve(kind, (left.name, right.name), heads, *found, bench.bootstrap, confidence, shape.n_heads, quoted)
        (FOLDER / f"overlap-{kind}.svg").write_text(svg(curves([drawn])), encoding="utf-8")
        print(json.dumps(drawn.to_dict()))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(grown.items()))
    file.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    grids.main()


if __name__ == "__main__":
    main([kind for kind in KINDS if kind in sys.argv[1:] or not sys.argv[1:]])
