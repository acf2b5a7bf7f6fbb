"""What a plan states of memory, against what the operating system counts of a process that checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.allocator import Heap, resident
from circuitdsl.engine.base import engines
from circuitdsl.language.resolve import resolve_text
from circuitdsl.plan.plan import Plan, make_plan

ROOT = Path(__file__).parents[2]
STACK = 300_000_000
TEXT = """
circuit heads {
  model mini
  task  ioi
  method { ablate mean by template  prompts 110 }
  role mover at END { 3.7 }
  role lookup at S2 { 1.0 }
  expect knockout(mover) <= -1%
  edge lookup -> mover.v : raises
  expect faithfulness >= 20%
  expect attention(mover, END -> IO) >= 10%
}
"""

# Nothing that was freed is kept, so that what is counted is what is held.
SCRIPT = f"""
import json, re, sys
from pathlib import Path
import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.language.resolve import resolve_text
from circuitdsl.plan.plan import make_plan

def status(name):
    return int(re.search(rf"^{{name}}:\\s+(\\d+) kB", Path("/proc/self/status").read_text(), re.M)[1]) * 1024

document = resolve_text({TEXT!r}, "a.circuit", cd.environment())
bench = Workbench(memory={STACK}, store=None)
bench.bench(document.circuits[0])
opened = status("VmRSS")
report = bench.check(make_plan(document))
print(json.dumps([opened, status("VmHWM"), report.cost.experiments]))
"""
GIVING_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def environment(**more: str) -> dict[str, str]:
    """Of a process that imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **more}


def planned(stacked: int = 0, text: str = TEXT) -> Plan:
    return make_plan(resolve_text(text, str(ROOT / "specs/features/a.circuit"), cd.environment()), stacked=stacked)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not count here")
def test_a_check_takes_no_more_memory_than_its_plan_states():
    command = [sys.executable, "-c", SCRIPT]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment(**GIVING_BACK), timeout=300, check=True
    )
    opened, most, experiments = json.loads(ran.stdout)
    memory = planned(STACK).memory
    held = memory.runs + memory.means + memory.stacks + memory.kept
    assert experiments > 40
    assert opened <= memory.process + memory.weights
    assert STACK / 2 < most - opened <= held < 3 * (most - opened)


def test_every_term_grows_with_what_it_is_of():
    memory = planned().memory
    assert planned(STACK).memory.stacks - memory.stacks == STACK - (64 << 20)
    assert planned(text=TEXT.replace("110", "30")).memory.runs < memory.runs
    assert planned(text=TEXT.replace("mean by template", "zero")).memory.means == 0 < memory.means
    assert memory.total == sum(memory.to_dict().values()) - memory.to_dict()["total"]
    features = 'dictionary a1 at attn_out 1 from "mini/attn1"\n  role names at S2 { a1.57 }\n  role mover'
    with_features = planned(text=TEXT.replace("role mover", features, 1)).memory
    for name in ("weights", "runs", "means", "kept"):
        assert getattr(with_features, name) > getattr(memory, name), name
    peak = engines()["fast"].peak
    given = tuple(planned().given())
    assert peak is not None
    wider = tuple(replace(each, geometry=replace(each.geometry, d_model=4 * each.geometry.d_model)) for each in given)
    for name in ("weights", "runs", "means", "kept"):
        assert getattr(peak(wider, 0, 1), name) > getattr(peak(given, 0, 1), name), name
    assert peak(given, 0, 2).stacks == 2 * peak(given, 0, 1).stacks


@pytest.mark.skipif(not resident(), reason="the system does not count here")
def test_what_was_freed_is_given_back_once_the_process_has_grown():
    """Memory in pieces, of which every second one stays in use: glibc keeps what lies between."""
    script = (
        "import ctypes\n"
        "from circuitdsl import allocator\n"
        "allocator.set_up()\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]\n"
        "pieces = [libc.malloc(1 << 20) for _ in range(800)]\n"
        "for each in pieces: ctypes.memset(each, 1, 1 << 20)\n"
        "for each in pieces[::2]: libc.free(each)\n"
        "before, heap = allocator.resident(), allocator.Heap()\n"
        "heap.give_back()\n"
        "print(before, allocator.resident(), heap.left)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True)
    before, after, left = map(int, ran.stdout.split())
    assert before - after > 300 << 20
    assert left == pytest.approx(after, rel=0.1)


def test_nothing_is_done_while_the_process_has_not_grown():
    heap = Heap(left=(left := resident() + 1))
    heap.give_back()
    assert heap.left == left
