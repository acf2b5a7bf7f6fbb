"""``python -m benchmarks.taken``: the forward passes that a plan states, and those that the check then takes.

A plan counts what is asked at first. A search takes less, for it races; a greedy search, claims that few prompts do not
settle, and sequences that go on take more. What becomes of a circuit depends on the model: on random weights nothing
holds. So the circuit is a planted one, of which everything is known (``benchmarks.truth.relay``), in a model of as many
layers and heads as GPT-2 small with small random weights beside it, and its claims are of the kinds that
specs/gpt2/ioi.circuit makes. The model is narrow: how many passes there are does not depend on its width.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

import circuitdsl as cd
from benchmarks.draft_cost import STAGES
from benchmarks.tables import table
from benchmarks.truth.relay import COUNTERFACTUAL, Relay, shaped_relay
from benchmarks.truth.relay_claims import PROMPTS, resolved
from benchmarks.truth.trials import REFERENCE
from circuitdsl.components import Geometry, Mlp

WIDTH = 256


def specification(relay: Relay, prompts: str, vary: str) -> str:
    """The relay's own circuit, whole, with a claim of each kind; of greedy completeness any gap will do."""
    stages = list(enumerate(relay.stages, start=1))
    heads = {number: " ".join(map(str, sorted(stage.heads))) for number, stage in stages}
    lines = [
        f'circuit relay {{ model relay task file("{PROMPTS}")',
        f"method {{ against {COUNTERFACTUAL} ablate mean by template prompts {prompts} floor 1% {vary} }}",
        *(f"role s{number} at {stage.place} {{ {heads[number]} }}" for number, stage in stages),
        *(f"role m{number} at {stage.place} {{ {Mlp(stage.mlp[0])} }}" for number, stage in stages if stage.mlp),
        *(f"edge s{number} -> s{number + 1}.v" for number, _ in stages[:-1]),
        f"edge s{len(stages)} -> logits : raises",
        "expect faithfulness >= 75%",
        "expect faithfulness > random heads",
        "expect completeness(greedy) <= 100",
        "expect knockout(s1) <= -50%",
        "}",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taken", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--prompts", default="60", help="as in a specification: 60, or 60 to 200; default: 60")
    parser.add_argument("--layers", type=int, default=12, help="default: 12")
    parser.add_argument("--heads", type=int, default=12, help="of each layer; default: 12")
    parser.add_argument("--vary", default="vary ablate: zero, resample", help="default: two ablations")
    asked = parser.parse_args(arguments)
    shape = Geometry("narrow", asked.layers, asked.heads, asked.heads, WIDTH, 32, 4 * WIDTH, 64, 1024)
    relay = shaped_relay(0, STAGES, shape)
    model, rows = relay.build(), list[list[str]]()
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        most = int(asked.prompts.split()[-1])
        (folder / PROMPTS).write_text(relay.prompts(2 * most + REFERENCE, 0), encoding="utf-8")
        document = resolved(relay, specification(relay, asked.prompts, asked.vary), folder)
        for what, unexplained in (("without the search", False), ("with it", True)):
            plan, started = cd.plan(document, unexplained=unexplained), time.process_time()
            report = cd.check(document, model=model, store=False, unexplained=unexplained)
            held = [str(outcome.verdict) for outcome in report.outcomes]
            said = ", ".join(f"{held.count(verdict)} {verdict}" for verdict in dict.fromkeys(held))
            passes = (f"{plan.plain.total:.0f}", f"{plan.fast.total:.1f}", f"{report.cost.passes:.1f}")
            rows.append([what, *passes, f"{time.process_time() - started:.0f}", said])
    heads = sum(len(stage.heads) for stage in relay.stages)
    print(f"{heads} heads of {relay.geometry.n_layers * relay.geometry.n_heads}, prompts {asked.prompts}\n")
    print(table(("a check", "one by one", "planned", "taken", "CPU s", "claims"), rows))


if __name__ == "__main__":
    main()
