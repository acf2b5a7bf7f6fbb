"""A report is the same to the bit whatever memory, threads and company a check, a sweep or a draft is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import circuitdsl as cd
from circuitdsl.models import open_model
from circuitdsl.outcome import CircuitReport, Report

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="promised where it was tried (docs/robustness.md)"
)
MINI = """circuit c {
  model mini
  task ioi
  method { prompts 8  reference 2 }
  role caller  at END { 1.0 1.1 }
  role fetcher at END { 2.3 2.5 }
  edge caller -> logits : raises
  edge caller -> fetcher.q : raises
  expect attention(fetcher, END -> IO) >= 10%
  expect faithfulness >= 10%
  expect completeness(fetcher) <= 5
}
"""
PLANTED = """circuit c {
  model planted-ioi
  task ioi
  method { prompts 8  ablate counterfactual  members knockout }
  role duplicate at S2 { 0.3  1.0 }
  role mover     at END { 3.0  3.2 }
  role backup    at END { 4.0  4.3 }
  edge mover -> logits : raises
  edge mover -> backup.q : lowers
  expect kl <= 15
  expect faithfulness >= 10%
}
"""
COMPANY = """circuit beside {{
  model {model}
  task ioi
  method {{ prompts 13  reference 2 }}
  role others at END {{ 1.0  2.3  3.1 }}
  expect logit_diff >= 1
  expect knockout(others) <= 50%
  expect faithfulness >= -500%
}}
"""


@pytest.fixture(scope="module", params=["mini", "planted-ioi"])
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def bridge(model: str) -> Any:
    return open_model(model).bridge


@pytest.fixture(scope="module")
def text(model: str) -> str:
    return MINI if model == "mini" else PLANTED


def checked(text: str, bridge: Any, folder: Path, **settings: Any) -> Report:
    path = folder / "c.circuit"
    path.write_text(text, encoding="utf-8")
    return cd.check(cd.load(path), bridge, unexplained=False, **settings)


def said(part: CircuitReport) -> str:
    """All that is said of a circuit's claims, on whatever lines they stand."""
    claims = json.loads(json.dumps(part.to_dict()["claims"]))
    return json.dumps([claim | {"line": 0} for claim in claims], sort_keys=True)


def test_a_check_in_stacks_of_any_size_and_beside_a_circuit_on_more_prompts(
    text: str, model: str, bridge: Any, tmp_path: Path
):
    (usual,) = checked(text, bridge, tmp_path).circuits
    assert len(usual.claims) >= 6
    for memory in (1, 300_000):
        (other,) = checked(text, bridge, tmp_path, memory=memory).circuits
        assert said(other) == said(usual)
    beside, last = checked(COMPANY.format(model=model) + text, bridge, tmp_path, memory=2_000_000).circuits
    assert (beside.circuit.name, said(last)) == ("beside", said(usual))
    torch.set_num_threads(2)
    try:
        (threads,) = checked(text, bridge, tmp_path, memory=300_000).circuits
    finally:
        torch.set_num_threads(1)
    assert said(threads) == said(usual)


def test_a_sweep_and_a_draft_in_stacks_of_any_size(model: str, bridge: Any):
    def both(memory: int) -> str:
        swept = cd.sweep("ioi", "heads at END -> logits", "knockout(heads)", model=bridge, prompts=6, memory=memory)
        drafted = cd.draft("ioi", model=bridge, prompts=6, stages=1, top="10%", unexplained=False, memory=memory)
        found = swept.to_dict(), drafted.to_dict()
        return json.dumps([[each[part] for part in ("circuits", "stages", "series") if part in each] for each in found])

    assert both(200_000) == both(50_000_000)


SAYING = """
import json, sys
import circuitdsl as cd
report = cd.check(cd.load(sys.argv[1]), unexplained=False, store=False).to_dict()
print(json.dumps({name: value for name, value in report.items() if name not in ("seconds", "cost")}))
"""


def test_a_report_does_not_depend_on_the_order_of_sets(tmp_path: Path):
    """Which is another in a Python of another hash seed. Copies of one, as the workers of tests are, have the same.

    What libraries warn of while they are imported is an error here, as all warnings are in tests."""
    (path := tmp_path / "c.circuit").write_text(MINI, encoding="utf-8")
    root = Path(__file__).parents[2]
    there = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}
    command = [sys.executable, "-W", "error", "-c", SAYING, str(path)]
    ran = subprocess.run(command, env=there, cwd=root, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    ours = cd.check(cd.load(path), unexplained=False, store=False).to_dict()
    theirs = json.loads(ran.stdout)
    assert {name: json.loads(json.dumps(ours[name])) for name in theirs} == theirs
