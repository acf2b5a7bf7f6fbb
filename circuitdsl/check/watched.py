"""Files that a document was read from, and whether any of them was saved since. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class Watched:
    """Files and when each was last saved, 0 for one that is not there."""

    def __init__(self) -> None:
        self._saved: dict[Path, int] = {}

    def add(self, files: Iterable[str | Path]) -> None:
        """Watch these files too. To be called before they are read: what is saved from now on is a change."""
        for path in map(Path, files):
            self._saved.setdefault(path, _last_saved(path))

    def changed(self) -> bool:
        """Whether any of the files was saved since it was added, or since this was asked."""
        now = {path: _last_saved(path) for path in self._saved}
        before, self._saved = self._saved, now
        return now != before


def _last_saved(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
