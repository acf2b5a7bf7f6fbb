"""The specifications that ship with the package, wherever it is installed."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

SUFFIX = ".circuit"


def specs_folder() -> Path:
    """The folder of the shipped specifications: inside the installed package, or beside it in a checkout."""
    installed = Path(str(resources.files("circuitdsl"))) / "specs"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "specs"


def find_spec(name: str) -> str:
    """The file that ``name`` means: itself if it exists, else a shipped one (``specs/mini/ioi.circuit``, ``mini/ioi``).

    A name that is neither comes back as it is, for the error message.

    >>> find_spec("mini/ioi").endswith("mini/ioi.circuit"), find_spec("no/such.circuit")
    (True, 'no/such.circuit')
    """
    path = Path(name)
    if path.exists() or path.is_absolute() or ".." in path.parts:
        return name
    parts = path.parts[1:] if path.parts[:1] == ("specs",) else path.parts
    shipped = specs_folder().joinpath(*parts)
    named = shipped if shipped.suffix == SUFFIX else shipped.with_name(f"{shipped.name}{SUFFIX}")
    return str(named) if named.is_file() else name


def file_and_name(spec: str) -> tuple[str, str]:
    """``file:name`` as its two parts; no name where it is a file, colon and all."""
    path, colon, name = spec.rpartition(":")
    return (path, name) if colon and not Path(spec).exists() else (spec, "")
