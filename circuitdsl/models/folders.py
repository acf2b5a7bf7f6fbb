"""Where a model's files lie: the folder that ships, a local folder, or the Hugging Face cache."""

from __future__ import annotations

import os
from pathlib import Path

MINI = Path(__file__).parent / "mini"


def hub_name(name: str) -> str:
    """The name under which the hub knows a model; Pythia's are short for EleutherAI's."""
    return f"EleutherAI/{name}" if name.startswith("pythia-") else name


def find_folder(name: str) -> Path | None:
    """The folder of a model that lies on this machine and has a ``config.json``, or None."""
    places = (MINI,) if name == "mini" else (Path(name).expanduser(), *_cached(hub_name(name)))
    return next((place for place in places if (place / "config.json").is_file()), None)


def cache_folder() -> Path:
    """Where Hugging Face keeps what it has downloaded, by its own environment variables."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


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
