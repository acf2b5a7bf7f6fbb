"""Which code a result is of: a hash of the sources that decide it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def package_sources() -> Iterator[Path]:
    """The sources of the package, its grammar among them."""
    yield from (ROOT / "circuitdsl").rglob("*.py")
    yield from (ROOT / "grammar").glob("*.lark")


def hash_of(files: Iterable[Path]) -> str:
    """Of files of this checkout, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]
