"""The wrong specifications under ``wrong/``, and what a user reads of each."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from language_environment import ENVIRONMENT

from circuitdsl.language.diagnostics import SpecError, render_all
from circuitdsl.language.resolve import load_with_warnings

WRONG = Path(__file__).parent / "wrong"
NAMES = sorted(path.stem for path in WRONG.glob("*.circuit"))


def expected(name: str) -> Path:
    return WRONG / f"{name}.expected"


def rendered(name: str) -> str:
    """All diagnostics of ``wrong/NAME.circuit`` as text, errors and warnings alike; "" for none."""
    with chdir(WRONG):
        try:
            loaded = load_with_warnings([f"{name}.circuit"], ENVIRONMENT)
        except SpecError as error:
            text = error.render()
        else:
            text = render_all(loaded.warnings, loaded.sources)
    return f"{text}\n" if text else ""
