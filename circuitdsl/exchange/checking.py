"""What the arguments of this package's functions may be, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import cast

from circuitdsl.arguments import Argument, a, checked_by, text
from circuitdsl.components import Geometry
from circuitdsl.exchange.graph import Graph
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.environment import Environment


def _holds(value: object, kind: type) -> bool:
    """Whether it is a mapping all of whose values are of a kind."""
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(each, kind) for each in cast(Mapping[object, object], value).values())


ARGUMENTS: Mapping[str, Argument] = {
    "path": Argument("the name of a file", '"found.json"', a(str, Path)),
    "name": text("the name of a format", 'name="eap"'),
    "geometry": Argument("the Geometry of a model", 'geometry=cd.models.geometry_of("gpt2")', a(Geometry)),
    "graph": Argument("a Graph", 'graph=cd.exchange.read("found.json", geometry)', a(Graph)),
    "circuit": Argument("a circuit of a document", "circuit=document.circuits[0]", a(Circuit)),
    "environment": Argument("an Environment", "environment=cd.environment()", a(Environment)),
    "positions": Argument(
        "names of positions by those of the graph", 'positions={"18": "END"}', lambda value: _holds(value, str)
    ),
    "faithfulness": Argument("a number for each budget", "{0.001: 0.1, ...}", lambda value: _holds(value, Real)),
}
"""What numbers and orders of scores may be is seen where scores are chosen."""

checked = checked_by(ARGUMENTS)
"""Every public function that takes something is decorated with it."""
