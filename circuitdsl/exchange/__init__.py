"""Circuits of other tools: read, choose a part by scores, write as a specification, and the way back.

    import circuitdsl as cd

    environment = cd.environment()
    graph = cd.exchange.read("mib_gpt2_ioi.json", environment.geometry("gpt2"))
    graph = cd.exchange.top(graph, 200, by="absolute")
    written = cd.exchange.to_spec(graph, cd.exchange.Heading("found", "gpt2", "ioi"), environment)
    written.data, written.lost

A :class:`Graph` is what all formats have in common: nodes and edges, each in the circuit or not, with scores where
there are some. What a format cannot hold is said in ``Written.lost``, and what had to be added in ``Written.added``.
Formats are files of ``exchange/tools``, entry points of the group ``circuitdsl.exchange``.
"""

from circuitdsl.exchange.format import Format, Written, formats, read, write
from circuitdsl.exchange.graph import Graph, GraphEdge, GraphNode
from circuitdsl.exchange.mib import BUDGETS, Areas, areas, at_budgets
from circuitdsl.exchange.selecting import above, top, top_share
from circuitdsl.exchange.spec import Heading, of_circuit, renamed, to_spec, unsaid

__all__ = [
    "BUDGETS",
    "Areas",
    "Format",
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Heading",
    "Written",
    "above",
    "areas",
    "at_budgets",
    "formats",
    "of_circuit",
    "read",
    "renamed",
    "to_spec",
    "top",
    "top_share",
    "unsaid",
    "write",
]
