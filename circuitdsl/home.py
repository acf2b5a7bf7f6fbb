"""Where circuitdsl keeps things for itself between calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuitdsl.errors import InputError


def own_cache() -> Path:
    """What circuitdsl keeps for itself: $CIRCUITDSL_CACHE, or circuitdsl in the user's cache folder.

    Raises InputError for a user who has no home, unless the environment names a folder.
    """
    named = os.environ.get("CIRCUITDSL_CACHE")
    return at_home(Path(named or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "circuitdsl"))


def at_home(path: Path) -> Path:
    """A path of which a tilde may stand for the user's home. Raises InputError for a user who has none."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path} is in a home folder, and this user has none (HOME is not set)",
            "set HOME, or name a folder to keep things in with CIRCUITDSL_CACHE and HF_HOME",
        ) from error


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Where to write what is to stand at ``path``: a file that is whole or not there, whenever the process ends.

    Its folder is made. Raises OSError where that, or to write there, cannot be done.
    """
    import tempfile  # here, since most commands write nothing

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        yield part
        part.replace(path)
