"""Circuits of edges as a whole, without a word of their edges one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.components import ALL, Embed, Head, Node, PosEmbed
from circuitdsl.errors import InputError
from circuitdsl.exchange.graph import Graph, GraphEdge, GraphNode
from circuitdsl.language.circuit import Circuit

MODEL = "planted-ioi"
SHAPE = cd.environment().geometry(MODEL)
SPEC = Path(__file__).parents[2] / "specs/planted/alone.circuit"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> cd.Store:
    return cd.Store.in_folder(tmp_path_factory.mktemp("results"))


def planted_circuit() -> Circuit:
    return next(each for each in cd.load(SPEC).circuits if each.name == "ioi_alone")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The edges that its specification states, as another tool has them: direct, with those from the input."""
    path = tmp_path_factory.mktemp("graphs") / "planted.json"
    path.write_bytes(cd.exchange.write(cd.exchange.of_circuit(planted_circuit()), "eap").data)
    graph = cd.exchange.read(path, SHAPE)
    return replace(graph, edges=graph.included)


def without(graph: Graph, head: Head) -> Graph:
    return replace(graph, edges=tuple(edge for edge in graph.edges if edge.sender.component != head))


def test_it_is_what_a_claim_of_the_whole_measures(planted: Graph, store: cd.Store):
    last = next(edge.sender.component for edge in planted.edges if edge.receiver is None and edge.which == "")
    assert isinstance(last, Head)
    part = without(planted, last)
    (found,) = cd.measure_graphs("ioi", part, model=MODEL, prompts=12, store=store)
    text = cd.exchange.to_spec(part, cd.exchange.Heading("part", MODEL, "ioi"), cd.environment()).data.decode()
    claimed = text.rstrip().removesuffix("}") + "method { prompts 12 }\nexpect faithfulness >= 10%\n}\n"
    outcomes = cd.check(cd.load(text=claimed), unexplained=False, store=store).circuits[0].claims
    whole = next(each for each in outcomes if each.claim.term.measure == "faithfulness")
    assert found == whole.estimate
    assert found.value is not None and abs(found.value - 1) > 0.01


def test_what_is_planted_keeps_all_and_what_leads_nowhere_nothing(store: cd.Store, tmp_path: Path):
    """Its heads with all edges among them are the whole of what the model does; one edge from the input is nothing."""
    heads = cd.exchange.of_circuit(planted_circuit())
    (tmp_path / "heads.json").write_bytes(cd.exchange.write(replace(heads, edges=()), "eap").data)
    whole = cd.exchange.read(tmp_path / "heads.json", SHAPE)
    nowhere = Graph(SHAPE, (GraphEdge(Node(Embed(), ALL), Node(Head(0, 0), ALL), "v"),))
    kept, nothing = cd.measure_graphs("ioi", whole, nowhere, model=MODEL, prompts=12, store=store)
    assert kept.value == pytest.approx(1, abs=1e-5)
    assert nothing.value == pytest.approx(0, abs=1e-5)
    (alone,) = cd.measure_graphs("ioi", whole, model=MODEL, prompts=12, store=store)
    assert alone.value == kept.value


def test_what_cannot_be_measured_is_told(planted: Graph):
    with pytest.raises(InputError, match="measures one graph or more"):
        cd.measure_graphs("ioi", model=MODEL)
    with pytest.raises(InputError, match="graph 2 has no edge in the circuit"):
        cd.measure_graphs("ioi", planted, Graph(SHAPE), model=MODEL)
    with pytest.raises(InputError, match="the circuit is one of planted-ioi, and mini has another shape"):
        cd.measure_graphs("ioi", planted, model="mini")


def test_a_graph_of_which_edges_are_not_all_is_refused(planted: Graph):
    """Its edges alone would keep something else: of this circuit nothing, where it keeps all."""
    whole = cd.exchange.of_circuit(planted_circuit())
    with pytest.raises(InputError, match="graph 1 is a circuit of the language: nodes that it lists read all before"):
        cd.measure_graphs("ioi", whole, model=MODEL)
    half = GraphNode(Node(Head(0, 0), ALL), neurons=(True, False) * (SHAPE.d_model // 2))
    with pytest.raises(InputError, match="graph 1 has more than edges between whole nodes: "):
        cd.measure_graphs("ioi", replace(planted, nodes=(half,)), model=MODEL)
    place = GraphEdge(Node(PosEmbed(), ALL), Node(Head(0, 0), ALL), "q")
    with pytest.raises(InputError, match="graph 1 has more than edges between whole nodes: "):
        cd.measure_graphs("ioi", replace(planted, edges=(*planted.edges, place)), model=MODEL)
    with pytest.raises(InputError, match="no edge in the circuit"):
        cd.measure_graphs("ioi", Graph(SHAPE, nodes=(GraphNode(Node(Head(0, 0), ALL)),)), model=MODEL)


def test_a_share_of_a_task_that_the_model_does_not_do_is_refused(planted: Graph):
    """IOI's planted model has nothing for the colours of objects."""
    with pytest.raises(InputError, match="does not do this task"):
        cd.measure_graphs("colored_objects", planted, model=MODEL, prompts=12, store=False)
