"""What is written is read again as it was, in every format; what a format cannot hold is said, and only that."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from graphs import ENVIRONMENT, HEADING, PLACES, SMALL, TOY, graphs
from hypothesis import given, settings

import circuitdsl as cd
from circuitdsl.components import ALL, Node, PosEmbed, Position
from circuitdsl.errors import InputError
from circuitdsl.exchange.fitting import fit
from circuitdsl.exchange.graph import Graph, GraphEdge, GraphNode
from circuitdsl.exchange.spec import HOLDS
from circuitdsl.exchange.tools import acdc, eap
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.format import format_source
from circuitdsl.language.resolve import resolve_source
from circuitdsl.language.source import Source

FORMATS = cd.exchange.formats()
ENDS = {"json": ".json", "text": ".txt", "torch": ".pt"}
FEWER = settings(max_examples=30, deadline=None)
NUMBERED = (Position("0"), Position("17"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("circuits")


def places(name: str) -> tuple[Position, ...]:
    return NUMBERED if name == "quirke" else PLACES


def again(written: cd.exchange.Written, name: str, graph: Graph, folder: Path) -> Graph:
    """The graph of a file that was written."""
    file = folder / f"written{ENDS[FORMATS[name].encoding]}"
    file.write_bytes(written.data)
    return cd.exchange.read(file, graph.geometry, name)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_what_it_wrote(name: str, folder: Path):
    @FEWER
    @given(graphs(places(name)))
    def check(graph: Graph):
        try:
            written = cd.exchange.write(graph, name)
        except InputError:
            fitted = fit(graph, FORMATS[name].holds).graph
            scored = [*fitted.edges, *fitted.nodes]
            assert not scored or ("membership" not in FORMATS[name].holds and any(x.score is None for x in scored))
            return
        found = again(written, name, graph, folder)
        fitted = FILLED_IN.get(name, same)(fit(graph, FORMATS[name].holds).graph)
        assert edges_of(found) == edges_of(fitted)
        assert (set(found.nodes) == set(fitted.nodes)) or name == "knowledge-circuits"
        assert {each.node for each in found.nodes} == lone(fitted) or name != "knowledge-circuits"
        second = cd.exchange.write(found, name)
        assert (second.lost, second.added) == ((), ())
        assert again(second, name, found, folder) == found

    check()


def edges_of(graph: Graph) -> dict[object, tuple[bool, float]]:
    """Edges that are in it or have a score. One without is as one that has 0, in formats in which all have one."""
    return {e.ends: (e.included, e.score or 0.0) for e in graph.edges if e.included or e.score}


def same(graph: Graph) -> Graph:
    return graph


def in_some_role(graph: Graph) -> Graph:
    return replace(graph, nodes=tuple(replace(each, role=each.role or "circuit") for each in graph.nodes))


FILLED_IN = {"eap": eap.complete, "eap-pt": eap.complete, "acdc-pth": acdc.complete, "entity-tracking": in_some_role}
"""Formats that have a value for everything."""


def lone(graph: Graph) -> set[Node]:
    """The nodes in no edge, which are all that a format of edges says of nodes."""
    joined = graph.joined_nodes()
    return {each.node for each in graph.nodes if each.node not in joined}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_lost_is_said_and_nothing_else(name: str):
    @FEWER
    @given(graphs(places(name)))
    def check(graph: Graph):
        holds = FORMATS[name].holds
        fitted = fit(graph, holds)
        assert set(fitted.graph.aspects()) <= holds | {"indirect", "lone nodes"}
        if not fitted.lost and not fitted.added:
            assert said_by(fitted.graph) == said_by(graph)

    check()


@pytest.mark.parametrize("name", ["eap", "eap-pt"])
def test_a_position_embedding_that_a_format_has_not_is_said_to_be_lost(name: str):
    """Listed by itself, or at an edge that is not in the circuit and has a score."""
    node, sends = Node(PosEmbed(), ALL), GraphEdge(Node(PosEmbed(), ALL), None, included=False, score=2.0)
    for graph in (Graph(TOY, nodes=(GraphNode(node),)), Graph(TOY, edges=(sends,))):
        fitted = fit(graph, FORMATS[name].holds)
        assert said_by(fitted.graph) != said_by(graph)
        assert any("pos_embed" in each for each in fitted.lost)


def said_by(graph: Graph) -> object:
    """What a graph says: edges in the circuit or with a score, nodes of which more is said than edges say."""
    edges = {(e.ends, e.included, e.score, e.direct and e.included) for e in graph.edges if e.included or e.score}
    joined = graph.joined_nodes()
    return edges, {each for each in graph.nodes if each != GraphNode(each.node, each.node in joined)}


@FEWER
@given(graphs())
def test_a_specification_says_what_the_graph_does(graph: Graph):
    heading = replace(HEADING, model=graph.geometry.model)
    try:
        written = cd.exchange.to_spec(graph, heading, ENVIRONMENT)
    except InputError as error:
        assert not graph.members() or "in roles" in error.message
        return
    text = written.data.decode()
    try:
        loaded = resolve_source(Source("found.circuit", text), ENVIRONMENT)
    except SpecError as error:
        raise AssertionError(error.render() + text) from error
    assert {warning.code for warning in loaded.warnings} <= {"C490", "C590"}, text
    assert format_source(text) == text
    found = cd.exchange.of_circuit(loaded.document.circuits[0])
    as_edges = bool(graph.included) and not graph.recomputing
    wanted = fit(graph, HOLDS - {"lone nodes", "embeddings"} if as_edges else HOLDS).graph
    assert {(edge.ends, edge.direct) for edge in found.edges} == {(e.ends, e.direct) for e in wanted.included}
    assert {each.node for each in found.nodes} == {each.node for each in wanted.nodes if each.included}


@pytest.mark.parametrize("name", FORMATS)
def test_a_written_file_is_recognised_by_itself(name: str, folder: Path):
    graph = SMALL
    if "membership" not in FORMATS[name].holds:
        graph = replace(graph, edges=tuple(replace(edge, score=0.5) for edge in graph.edges))
        graph = replace(
            graph, nodes=tuple(GraphNode(node, score=0.25) for node in graph.members() if node.component.layer >= 0)
        )
    if name == "quirke":
        graph = replace(graph, edges=(), nodes=(GraphNode(Node(graph.members()[1].component, NUMBERED[0])),))
    written = cd.exchange.write(graph, name)
    file = folder / f"recognised{ENDS[FORMATS[name].encoding]}"
    file.write_bytes(written.data)
    assert cd.exchange.read(file, graph.geometry) == cd.exchange.read(file, graph.geometry, name)


def test_scores_of_32_bits_stay_as_short_as_they_are(folder: Path):
    import torch

    edge = replace(SMALL.edges[0], score=float(torch.tensor(0.1)))
    for score, dtype in ((edge.score, torch.float32), (0.1, torch.float64)):
        graph = replace(SMALL, edges=(replace(edge, score=score),))
        again(cd.exchange.write(graph, "eap-pt"), "eap-pt", graph, folder)
        assert torch.load(folder / "written.pt", weights_only=True)["edges_scores"].dtype == dtype


def test_json_of_eap_has_the_published_keys_in_their_order():
    content = json.loads(cd.exchange.write(SMALL, "eap").data)
    assert list(content) == ["cfg", "nodes", "edges"]
    assert content["cfg"] == {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 4}
    assert list(content["nodes"]) == ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1", "logits"]
    first = ["input->a0.h0<q>", "input->a0.h0<k>", "input->a0.h0<v>", "input->a0.h1<q>"]
    assert list(content["edges"])[:4] == first
    assert list(content["edges"])[6:10] == ["input->m0", "a0.h0->m0", "a0.h1->m0", "input->a1.h0<q>"]
    assert list(content["edges"])[-1] == "m1->logits"
    assert content["edges"]["a0.h1->a1.h0<q>"] == {"score": 0.0, "in_graph": True}
    assert all(node.position == ALL for node in SMALL.members())
