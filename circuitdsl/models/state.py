"""The state of the files that a model is opened from, by which a later call sees that they are the same. No torch."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from circuitdsl.language.environment import UnknownName
from circuitdsl.models.checking import checked
from circuitdsl.models.configuration import is_native, read_configuration
from circuitdsl.models.folders import find_folder, has_tokenizer
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.plugins import installed
from circuitdsl.version import RUNNING

Files = Mapping[str, tuple[int, int, int]]
"""By path in a folder: bytes, and when the content and when anything was last changed, in nanoseconds."""

SETTLED = 2 * 10**9  # nanoseconds; a file may change within one tick of a coarse clock and show it nowhere
_MOST_FILES = 2000
_PACKAGES = (*RUNNING, "tokenizers", "safetensors")
_CODE = ("models", "engine", "components", "language", "measures", "tasks")  # what opens models and makes engines


@dataclass(frozen=True)
class State:
    """All that decides what opening a model gives: the folder with its files, versions of packages, our own files."""

    folder: str
    files: Files
    versions: Mapping[str, str]
    code: str

    @property
    def settled(self) -> bool:
        """Whether no file changed so lately that another change might not show."""
        changed = max(max(times) for _, *times in self.files.values())
        return time.time_ns() - changed > SETTLED


@checked
def state_of(name: str | Path, revision: str | None = None) -> State | None:
    """The state of a model that lies in a folder of this machine, as ``open_model`` finds it.

    None for one that does not, or that is opened from files of other folders too, or where they cannot be looked at.
    """
    name = str(name)
    folder = None if name in PLANTED else find_folder(name, revision)
    if folder is None:
        return None
    try:
        if _has_files_elsewhere(folder):
            return None
        files = _files(folder)
        return None if files is None else State(str(folder.resolve()), files, _versions(), _code())
    except (OSError, UnknownName):
        return None


def _has_files_elsewhere(folder: Path) -> bool:
    """Whether a model's tokenizer is another model's."""
    return not has_tokenizer(folder) and is_native(read_configuration(folder / "config.json"))


def _files(folder: Path) -> Files | None:
    """All files in and under a folder but what Python compiled; None if there are too many to look at each time."""
    found: dict[str, tuple[int, int, int]] = {}
    for path in _walked(folder):
        if len(found) == _MOST_FILES:
            return None
        stat = path.stat()
        found[path.relative_to(folder).as_posix()] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return found


def _walked(folder: Path) -> Iterator[Path]:
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        yield from (Path(inside) / name for name in sorted(names))


def _versions() -> Mapping[str, str]:
    """The versions of the packages that open models and run them, ours and those that add families and engines."""
    adding = (entry.dist for group in ("models", "engines") for entry in installed(group).values())
    return {each: version(each) for each in _PACKAGES} | {each.name: each.version for each in adding if each}


def _code() -> str:
    """A hash of the state of our own files, which change between two versions of ours where somebody works on them."""
    package = Path(__file__).parents[1]
    states = [(part, sorted((_files(package / part) or {}).items())) for part in _CODE]
    return hashlib.sha256(repr(states).encode()).hexdigest()
