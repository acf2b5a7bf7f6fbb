"""``python -m benchmarks.sweep``: what sweeps cost, in plain forward passes of the same run and over the floor.

Columns: the plain engine and TransformerLens's own patching helper are timed on a sample of the experiments and scaled
up; the fast engine is timed on all of them. The floor is the arithmetic that the experiments need, divided by the rate
at which this machine multiplies matrices of these sizes during the run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.cases import CASES, Floor, experiments
from benchmarks.models import COUNTERFACTUAL, DATA, SHAPES, model_of, prompts_of
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain import PlainEngine
from circuitdsl.measures.experiments import Experiment
from circuitdsl.models import Model
from circuitdsl.plan.drive import Failure
from circuitdsl.tasks.prompts import Prompt

SAMPLE = 3  # experiments that the slow columns are timed on


@dataclass(frozen=True)
class Row:
    """One case. Times are in seconds; ``plain`` and ``helpers`` are extrapolated."""

    case: str
    experiments: int
    forward: float
    plain: float
    helpers: float | None
    fast: float
    floor: float
    difference: float  # largest, against the plain engine on the sample, over the sample's largest figure

    @property
    def ratios(self) -> dict[str, float]:
        return {
            "fast, in plain forwards": self.fast / self.forward,
            "plain engine / fast": self.plain / self.fast,
            "fast / floor": self.fast / self.floor,
        }


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def forward_time(model: Model, prompts: Sequence[Prompt]) -> float:
    """One plain forward pass of all prompts, the better of two."""
    tokens = torch.tensor([prompt.tokens for prompt in prompts])
    with torch.inference_mode():
        return min(timed(lambda: model.bridge(tokens))[0] for _ in range(2))


def matmul_rate(model: Model, seconds: float = 1.0) -> float:
    """Floating-point operations a second in an MLP's products of many rows."""
    width, hidden, rows = model.geometry.d_model, model.geometry.d_mlp, 1024
    x, up, down = torch.randn(rows, width), torch.randn(hidden, width), torch.randn(width, hidden)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        F.linear(F.linear(x, up), down)
        done += 1
    return done * 4 * rows * width * hidden / (time.perf_counter() - started)


def plain_time(model: Model, prompts: Sequence[Prompt], asked: Sequence[Experiment]) -> tuple[float, dict]:
    """The plain engine's time for all of them, from a sample; and the sample's results."""
    sample = list(asked[:: max(1, len(asked) // SAMPLE)][:SAMPLE])
    engine = PlainEngine(model)
    first, _ = timed(lambda: engine.run(DATA, prompts, 0, len(prompts), sample[:1]))  # caches, means and one world
    rest, results = timed(lambda: engine.run(DATA, prompts, 0, len(prompts), sample))
    each = rest / len(sample)
    return first + each * (len(asked) - 1), results


def helpers_time(model: Model, prompts: Sequence[Prompt], count: int) -> float | None:
    """TransformerLens's generic_activation_patch on heads at END, from a sample."""
    try:
        import pandas
        from transformer_lens import patching
    except ImportError:
        return None
    tokens = torch.tensor([prompt.tokens for prompt in prompts])
    corrupted = torch.tensor([prompt.counterfactuals[COUNTERFACTUAL] for prompt in prompts])
    last = tokens.shape[1] - 1
    layers = model.geometry.n_layers
    rows = pandas.DataFrame({"layer": [0, layers // 2, layers - 1], "pos": [last] * 3, "head_index": [0, 1, 2]})

    def patch() -> None:
        _, cache = model.bridge.run_with_cache(corrupted, names_filter=lambda name: name.endswith("hook_z"))
        patching.generic_activation_patch(
            model.bridge,
            tokens,
            cache,
            lambda logits: (logits[:, -1, 5] - logits[:, -1, 7]).mean(),
            patching.layer_pos_head_vector_patch_setter,
            "z",
            index_df=rows,
        )

    with torch.inference_mode():
        seconds, _ = timed(patch)
    return seconds / (len(rows) + 1) * (count + 1)


def row_of(case: str, model: Model, prompts: Sequence[Prompt]) -> Row:
    """Time one case."""
    worlds = CASES[case](model.geometry)
    asked = experiments(worlds)
    forward = forward_time(model, prompts)
    engine = FastEngine(model)
    before = matmul_rate(model)
    fast, results = timed(lambda: engine.run(DATA, prompts, 0, len(prompts), asked))
    rate = (before + matmul_rate(model)) / 2
    plain, sample = plain_time(model, prompts, asked)
    helpers = helpers_time(model, prompts, len(asked)) if case in ("a", "a-total") else None
    floor = len(prompts) * Floor(model.geometry, prompts[0]).of(worlds) / rate
    return Row(case, len(asked), forward, plain, helpers, fast, floor, _difference(sample, results))


def _difference(sample: dict, results: dict) -> float:
    pairs = [(value, results[key]) for key, value in sample.items() if not isinstance(value, Failure)]
    largest = max((abs(value).max() for value, _ in pairs), default=1.0)
    return float(max((abs(value - ours).max() for value, ours in pairs), default=0.0) / largest)


def table(rows: Sequence[Row]) -> str:
    """The rows for a person: everything in plain forward passes of the same prompts."""
    lines = [
        f"{'case':8} {'experiments':>11} {'forward s':>9} {'plain':>8} {'helpers':>8} {'fast':>7} {'floor':>7} "
        f"{'plain/fast':>10} {'fast/floor':>10} {'difference':>10}"
    ]
    for row in rows:
        helpers = f"{row.helpers / row.forward:8.0f}" if row.helpers is not None else f"{'':8}"
        lines.append(
            f"{row.case:8} {row.experiments:11} {row.forward:9.2f} {row.plain / row.forward:8.0f} {helpers} "
            f"{row.fast / row.forward:7.2f} {row.floor / row.forward:7.2f} {row.plain / row.fast:10.1f} "
            f"{row.fast / row.floor:10.2f} {row.difference:10.1e}"
        )
    return "\n".join([*lines, "plain, helpers, fast and floor are in plain forward passes of all prompts"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated; default: all")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = model_of(asked.shape)
    prompts = prompts_of(asked.prompts, asked.length, SHAPES[asked.shape].vocabulary)
    rows = []
    for case in asked.cases.split(","):
        rows.append(row_of(case, model, prompts))
        print(table(rows[-1:]), flush=True)
    print(f"\n{asked.shape}-shaped, {asked.prompts} prompts of {asked.length} tokens, float32, one thread")
    print(table(rows))
    if asked.json:
        settings = {"shape": asked.shape, "prompts": asked.prompts, "length": asked.length, "threads": 1}
        report = {"settings": settings, "rows": [asdict(row) | row.ratios for row in rows]}
        asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
