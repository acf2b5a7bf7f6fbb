"""What commands take to start, and what a race of minimality's sets would save, are measured on real ones."""

from __future__ import annotations

import pytest

from benchmarks.sets_raced import race_of
from benchmarks.starting import seconds
from circuitdsl.check.workbench import Workbench
from circuitdsl.language.resolve import resolve_text
from circuitdsl.plan.circuit import plan_circuit

SPEC = """circuit c {
  model planted-induction
  task  induction
  method { prompts 32  reference 4 }
  role previous  { 0.0 }
  role induction at END { 1.1 1.3 }
}
"""


def test_a_command_takes_time_and_one_that_cannot_be_run_ends_the_benchmark():
    assert seconds(("--version",), times=1) > 0
    with pytest.raises(SystemExit, match="exit code 2"):
        seconds(("lint", "nosuch.circuit"), times=1)


def test_the_race_of_sets_tells_what_it_saves():
    import circuitdsl as cd

    (circuit,) = resolve_text(SPEC, "c.circuit", cd.environment()).circuits
    said = race_of(plan_circuit(circuit, unexplained=False), Workbench(store=None).bench(circuit))
    assert said.startswith("c: of 3 claims one set decides ")
