"""The specifications that ship with the package, wherever it is installed."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def specs_folder() -> Path:
    """The folder of the shipped specifications: inside the installed package, or beside it in a checkout."""
    installed = Path(str(resources.files("circuitdsl"))) / "specs"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "specs"


def find_spec(name: str) -> str:
    """The file that ``name`` means: itself if it exists, else a shipped one (``specs/mini/ioi.circuit``).

    A name that is neither comes back as it is, for the error message.

    >>> find_spec("specs/mini/ioi.circuit").endswith("mini/ioi.circuit"), find_spec("no/such.circuit")
    (True, 'no/such.circuit')
    """
    path = Path(name)
    if path.exists() or path.is_absolute() or path.parts[:1] != ("specs",) or ".." in path.parts:
        return name
    shipped = specs_folder().joinpath(*path.parts[1:])
    return str(shipped) if shipped.is_file() else name
