"""Data from public sources that lie beside the checkout; tests that read them skip where they are absent."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

CASES = SHARED.with_name("cases")
"""Small inputs as people write them."""
