"""Circuits of other tools as a whole, however many edges they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import shapes_of
from circuitdsl.api.sweeping import read_one_sweep
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.exchange.graph import Aspect, Graph
    from circuitdsl.judge.estimates import Estimate
    from circuitdsl.language.environment import Environment
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel

_MORE_THAN_EDGES: tuple[Aspect, ...] = ("neurons", "position embedding")
"""What of a graph carries something and is no edge between two whole nodes."""


@checked
def measure_graphs(
    task: str | Path,
    *graphs: Graph,
    model: AnyModel = "mini",
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
    **settings: str | int,
) -> tuple[Estimate, ...]:
    """The faithfulness of circuits of edges (``cd.exchange.read``), each as a whole and not edge by edge.

    It is that of ``expect faithfulness`` in a circuit that states these edges: (F(C) - F(none)) / (F(M) - F(none)),
    where every edge outside takes the prompt's own counterfactual, and F(none) is F there (Mueller et al. 2025). All
    intervals hold together (Bonferroni). ``task``, ``settings`` and the other arguments are as for :func:`sweep`.
    Raises InputError for a graph with no edge in the circuit, of another shape, or of which edges between whole nodes
    are not all (a circuit of the language, in which nodes recompute; neurons; the position embedding by itself), where
    the model does not surely do the task, and for what cannot be had; SpecError for what the language does not allow.
    """
    from circuitdsl.check.graphs import measure_graphs as measured
    from circuitdsl.plan.graphs import plan_graphs

    if not graphs:
        raise InputError("measure_graphs measures one graph or more", 'give cd.exchange.read("found.json", geometry)')
    known, _ = shapes_of(model, revision)
    base = read_one_sweep(task, (), model, revision, (), None, settings).circuit
    planned = plan_graphs(tuple(_circuits(graphs, base, known)))
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
    with followed(progress) as told:
        return measured(planned, bench, told)


def _circuits(graphs: Sequence[Graph], base: Circuit, known: Environment) -> Iterator[Circuit]:
    """The circuit of each graph's edges, under the method of a circuit that states nothing."""
    from circuitdsl.exchange.spec import Heading, to_spec
    from circuitdsl.language.resolve import resolve_source
    from circuitdsl.language.source import Source

    for number, graph in enumerate(graphs, start=1):
        edges = _edges(graph, f"graph {number}")
        written = to_spec(edges, Heading(f"graph_{number}", base.model, str(base.task)), known)
        (circuit,) = resolve_source(Source(f"graph {number}", written.data.decode()), known).document.circuits
        yield replace(base, name=circuit.name, claims=circuit.claims)


def _edges(graph: Graph, name: str) -> Graph:
    """The graph as its edges alone. Raises InputError where these are not all that is in the circuit."""
    if graph.recomputing:
        raise InputError(
            f"{name} is a circuit of the language: nodes that it lists read all before them, and MLPs recompute",
            'claim it there: expect faithfulness >= 90%; or spell its edges out: cd.exchange.write(graph, "eap")',
        )
    if not graph.included:
        choose = 'choose some: cd.exchange.top(graph, 200, by="absolute")'
        raise InputError(
            f"{name} has no edge in the circuit",
            choose if graph.edges else "claim what its nodes keep: roles and expect faithfulness",
        )
    said = graph.aspects()
    for aspect in _MORE_THAN_EDGES:
        if aspect in said:
            raise InputError(f"{name} has more than edges between whole nodes: {said[aspect]}", "leave it out")
    return replace(graph, nodes=())
