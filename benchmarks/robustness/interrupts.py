"""Ctrl-C at moments spread over a whole ``circuitdsl check``, from its first line on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.robustness.checks import SPEC
from benchmarks.robustness.results import Result

ROOT = Path(__file__).parents[2]


def interrupts(count: int, seed: int, folder: Path) -> Result:
    """A process for each moment: exit code 130, the word and no traceback, or what it would have said anyway."""
    spec = folder / "c.circuit"
    spec.write_text(SPEC, encoding="utf-8")
    command = [sys.executable, "-m", "circuitdsl", "check", "--no-cache", str(spec)]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    subprocess.run(command, env=environ, capture_output=True, check=False)
    whole = time.monotonic() - started
    result = Result(
        "Ctrl-C",
        "A process is interrupted at moments spread evenly over a check, imports included: exit code 130, "
        "`interrupted` and no traceback; once claims were measured, they are printed.",
    )
    for number in range(count):
        moment = whole * (number + 1) / (count + 1)
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        what = f"{moment:.2f} s: exit {process.returncode}: {err[-200:]!r}"
        if process.returncode == 130 and "interrupted" in err and "Traceback" not in err:
            result.ended("130, with what was known" if "logit_diff" in out else "130, nothing known yet")
        elif process.returncode in (0, 1, 3) and not err:
            result.ended("it had ended before")
        elif process.returncode < 0 and not err:
            result.ended("ended by the signal, as Python was starting or ending")
        else:
            result.ended("otherwise")
            result.faults.append(what)
    return result
