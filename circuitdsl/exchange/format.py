"""A format of circuits, and all formats by name.

A format is an entry point of the group ``circuitdsl.exchange``: a :class:`Format`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from circuitdsl.components import Geometry
from circuitdsl.errors import InputError
from circuitdsl.exchange.checking import checked
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.files import Encoding, decode, encoding_of
from circuitdsl.exchange.fitting import fit
from circuitdsl.exchange.graph import Aspect, Graph
from circuitdsl.plugins import installed, load


@dataclass(frozen=True)
class Format:
    """How a tool writes circuits down.

    ``holds``: what of a graph it can hold. ``recognises`` tells from decoded content alone whether a file may be of
    this format; ``read`` makes the graph of a model of it and raises InputError, with the place, for all that it does
    not understand; ``write`` is given a graph that has nothing but what the format holds.
    """

    name: str
    about: str
    encoding: Encoding
    holds: frozenset[Aspect]
    recognises: Callable[[object], bool]
    read: Callable[[Field, Geometry], Graph]
    write: Callable[[Graph], bytes]


@dataclass(frozen=True)
class Written:
    """A file's content, and in what it differs from the circuit: what the format cannot hold, what had to be added."""

    data: bytes
    lost: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@cache
def formats() -> Mapping[str, Format]:
    """Every format under the name of its entry point, which is the one that the command line takes."""
    return {name: load(entry) for name, entry in installed("exchange").items()}


def format_named(name: str) -> Format:
    """The format of that name. Raises InputError."""
    if name not in formats():
        raise InputError(f"no format of circuits is called {name}", f"formats: {', '.join(formats())}")
    return formats()[name]


@checked
def read(path: str | Path, geometry: Geometry, name: str = "") -> Graph:
    """The circuit of another tool's file, of a model of this shape; ``name`` is the format, "" to tell it by the file.

    Raises InputError, with the place in the file, for what cannot be read, is too large or too deep, or names what the
    model does not have. Nothing is left out, and no pickle is executed.
    """
    path = Path(path)
    if name:
        found = format_named(name)
        return _read(found, decode(path, found.encoding), path, geometry)
    content = decode(path, encoding_of(path))
    fitting = [
        each for each in formats().values() if each.encoding == encoding_of(path) and each.recognises(content.value)
    ]
    if len(fitting) != 1:
        known = ", ".join(each.name for each in fitting or formats().values())
        if not fitting and _holds_prompts(content):
            raise InputError(f"{path} holds prompts, and no circuit", _PROMPTS)
        problem = "may be of several formats" if fitting else "is of no format that is known here"
        raise InputError(f"{path} {problem}", f"say which it is: --format, one of {known}")
    return _read(fitting[0], content, path, geometry)


_PROMPTS = 'write them as lines of JSON (circuitdsl tasks new my.jsonl shows how), for `task file("my.jsonl")`'


def _holds_prompts(content: Field) -> bool:
    """Whether a file is a data set of auto-circuit (JSON) or of EAP-IG (CSV), which stand beside their circuits."""
    value = content.value
    if isinstance(value, str):
        return {"clean", "corrupted"} <= set(value.partition("\n")[0].strip().split(","))
    return isinstance(value, dict) and "prompts" in value


def _read(found: Format, content: Field, path: Path, geometry: Geometry) -> Graph:
    shown = path.name.encode("utf-8", "replace").decode()  # names of files need not be text
    return replace(found.read(content, geometry), origin=f"from {shown}, format {found.name}")


@checked
def write(graph: Graph, name: str) -> Written:
    """A circuit in the format of that name. Raises InputError for what it cannot hold at all."""
    found = format_named(name)
    fitted = fit(graph, found.holds)
    if not (fitted.graph.edges or fitted.graph.nodes):
        raise InputError(f"nothing of this circuit can be written as {name}", f"{name}: {found.about}")
    return Written(found.write(fitted.graph), fitted.lost, fitted.added)
