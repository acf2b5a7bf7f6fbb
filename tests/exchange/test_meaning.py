"""What is read, chosen and written means what the other tool means by it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import networkx as nx
import pytest
from graphs import ATTENTION_ONLY, ENVIRONMENT, HEADING, SMALL, TOY, direct, head_graph

import circuitdsl as cd
from circuitdsl.components import Embed, Head, Mlp
from circuitdsl.errors import InputError
from circuitdsl.exchange.graph import Graph, GraphEdge
from circuitdsl.language.resolve import resolve_text

FILES = Path(__file__).parent / "files"


def edges(graph: Graph) -> list[str]:
    return [str(edge) for edge in graph.included]


def exported(text: str, name: str, folder: Path) -> tuple[Graph, cd.exchange.Written]:
    """A specification as another tool has it, read again."""
    circuit = resolve_text(text, "a.circuit", ENVIRONMENT).circuits[0]
    written = cd.exchange.write(cd.exchange.of_circuit(circuit), name)
    file = folder / "written.json"
    file.write_bytes(written.data)
    return cd.exchange.read(file, circuit.geometry, name), written


# --- files made by hand in the shape of the public ones ----------------------------------------------

FOUND = {
    "eap.json": ["embed -> 0.1.v", "embed -> mlp 0", "0.1 -> 1.0.q", "mlp 0 -> 1.0.k", "1.0 -> logits"],
    "acdc.txt": ["embed -> 0.1.v", "pos_embed -> 0.1.v", "embed -> mlp 0", "0.1 -> 1.0.q", "1.0 -> logits"],
    "auto_circuit.txt": ["embed -> 0.1.v", "0.1 -> 1.0", "mlp 0 -> mlp 1", "mlp 1 -> logits"],
    "knowledge_circuits.gv": ["embed -> 0.1", "0.1 -> mlp 0", "mlp 0 -> 1.0", "1.0 -> logits"],
}


@pytest.mark.parametrize("name", FOUND)
def test_edges_of_a_file(name: str):
    graph = cd.exchange.read(FILES / name, TOY)
    assert edges(graph) == FOUND[name]
    assert all(edge.direct for edge in graph.edges)
    assert not graph.recomputing


def test_nodes_of_a_file():
    def nodes(name: str) -> list[tuple[str, str, str]]:
        graph = cd.exchange.read(FILES / name, TOY)
        assert graph.recomputing and not graph.edges
        return [(str(each.node.component), str(each.node.position), each.role) for each in graph.nodes]

    assert nodes("entity_tracking.json") == [("0.1", "all", "S-Inh"), ("1.0", "all", "S-Inh"), ("1.1", "all", "mover")]
    assert nodes("seqcont.json") == [("0.1", "all", ""), ("1.0", "all", ""), ("mlp 0", "all", "")]
    assert nodes("quirke.json") == [("0.1", "7", ""), ("mlp 1", "18", "")]
    assert [each.tags for each in cd.exchange.read(FILES / "quirke.json", TOY).nodes] == [("A1.OP", "must"), ()]
    assert [each.score for each in cd.exchange.read(FILES / "circuitkit.json", TOY).nodes] == [0.25, -0.5]


def test_a_specification_of_a_file():
    graph = cd.exchange.read(FILES / "eap.json", TOY)
    written = cd.exchange.to_spec(graph, HEADING, ENVIRONMENT)
    assert written.data.decode() == (FILES / "eap.circuit").read_text(encoding="utf-8")
    assert written.lost == ("the scores of 5 edges", "1 node outside of the circuit")


def test_positions_get_names_and_roles_too():
    graph = cd.exchange.read(FILES / "quirke.json", TOY)
    written = cd.exchange.to_spec(graph, HEADING, ENVIRONMENT, {"7": "S1+1", "18": "END"})
    lines = [line.strip() for line in written.data.decode().splitlines() if "role" in line]
    assert lines == ["role at_S1_1 at S1+1 { 0.1 }", "role at_END  at END  { mlp 1 }"]
    assert written.lost == ("the tags of nodes: A1.OP, must",)


def test_names_that_the_language_does_not_have_are_changed():
    graph = cd.exchange.read(FILES / "entity_tracking.json", TOY)
    for name, wanted in (("my ioi.v2", "my_ioi_v2"), ("edge", "r_edge"), ("2nd", "r_2nd"), ("", "found")):
        text = cd.exchange.to_spec(graph, replace(HEADING, name=name), ENVIRONMENT).data.decode()
        assert text.startswith(f"circuit {wanted} {{")
        assert "role S_Inh { 0.1  1.0 }" in text


# --- choosing ----------------------------------------------------------------------------------------


def scored(*scores: float | None) -> Graph:
    made = [replace(edge, included=False, score=score) for edge, score in zip(SMALL.edges, scores, strict=True)]
    return Graph(TOY, tuple(made))


def chosen(graph: Graph) -> list[int]:
    return [number for number, edge in enumerate(graph.edges) if edge.included]


def test_scores_are_chosen_signed_or_absolute():
    graph = scored(0.1, -0.9, 0.5, None, -0.2)
    assert chosen(cd.exchange.top(graph, 2, "absolute")) == [1, 2]
    assert chosen(cd.exchange.top(graph, 2, "signed")) == [0, 2]
    assert chosen(cd.exchange.above(graph, 0.2, "absolute")) == [1, 2, 4]
    assert chosen(cd.exchange.above(graph, -0.2, "signed")) == [0, 2, 4]
    assert chosen(cd.exchange.top_share(graph, 0.5, "absolute")) == [1, 2]
    assert cd.exchange.top(graph, 2, "signed").origin.endswith("the 2 highest of 4 edge scores, signed")


def test_scores_are_chosen_by_no_other_rule_and_by_numbers():
    graph = scored(0.1, -0.9, 0.5, None, -0.2)
    for wrong in ("size", None, []):
        with pytest.raises(InputError, match="by one of: absolute, signed"):
            cd.exchange.top(graph, 1, cast(Any, wrong))
        with pytest.raises(InputError, match="by one of: absolute, signed"):
            cd.exchange.above(graph, 0.1, cast(Any, wrong))
    for choose in (cd.exchange.top, cd.exchange.top_share, cd.exchange.above):
        with pytest.raises(InputError):
            choose(graph, cast(Any, "1"), "absolute")
        with pytest.raises(InputError):
            choose(graph, cast(Any, True), "absolute")
    for wrong in (float("nan"), float("inf"), -0.5, Fraction(2)):
        with pytest.raises(InputError):
            cd.exchange.top_share(graph, cast(Any, wrong), "absolute")
    assert chosen(cd.exchange.above(graph, float("-inf"), "signed")) == [0, 1, 2, 4]
    for wrong in (float("nan"), 10**400):
        with pytest.raises(InputError, match="is no number"):
            cd.exchange.above(graph, wrong, "signed")
    with pytest.raises(InputError, match="no score is at least 2"):
        cd.exchange.above(graph, cast(Any, Fraction(2)), "absolute")


def test_the_first_of_equal_scores_is_chosen():
    assert chosen(cd.exchange.top(scored(0.5, -0.5, 0.5, 0.5, 0.1), 2, "absolute")) == [0, 1]


def test_nodes_are_chosen_where_edges_have_no_scores():
    graph = cd.exchange.read(FILES / "circuitkit.json", TOY)
    found = cd.exchange.top(graph, 1, "absolute")
    assert [each.included for each in found.nodes] == [False, True]


# --- writing for tools whose edges are direct --------------------------------------------------------

HEADS = "circuit a { model toy task ioi role r at END { 0.1 1.0 } }"


def test_heads_alone_get_the_edges_that_they_leave_to_recompute(tmp_path: Path):
    graph, written = exported(HEADS, "eap", tmp_path)
    parts: tuple[Embed | Head | Mlp, ...] = (Embed(), Head(0, 1), Mlp(0), Head(1, 0), Mlp(1))
    assert {each.node.component for each in graph.nodes if each.included} == set(parts)
    found = edges(graph)
    assert {"embed -> 0.1.q", "0.1 -> mlp 0", "mlp 0 -> 1.0.v", "1.0 -> mlp 1", "mlp 1 -> logits"} <= set(found)
    assert len(found) == 3 + 2 + 3 * 3 + 4 + 5  # into 0.1, mlp 0, 1.0, mlp 1, logits
    assert written.added == (
        "all 23 edges among the input, 2 heads, all MLPs and the logits, for the circuit lists nodes only",
    )
    assert "the positions of nodes: END" in written.lost


@pytest.mark.parametrize("text", [HEADS, HEADS.replace("} }", "} edge 0.1 -> 1.0.v edge 1.0 -> logits }")])
def test_no_node_that_is_written_vanishes_when_it_is_read_there(text: str, tmp_path: Path):
    """EAP-IG removes what is not joined to the input and to the logits."""
    graph, _ = exported(text, "eap", tmp_path)
    ways = nx.DiGraph(
        (str(edge.sender.component), str(edge.receiver and edge.receiver.component)) for edge in graph.included
    )
    kept = (nx.descendants(ways, "embed") | {"embed"}) & (nx.ancestors(ways, "None") | {"None"})
    assert set(ways) == kept
    assert {str(each.node.component) for each in graph.nodes if each.included} == kept - {"None"}


def test_that_roles_read_all_before_them_is_lost_where_edges_are_stated(tmp_path: Path):
    """Of a circuit of roles alone nothing is lost, for it is written with all edges."""
    _, written = exported(HEADS.replace("} }", "} edge 0.1 -> 1.0.v }"), "eap", tmp_path)
    assert any(
        said.startswith("that a node in a role reads all that the circuit has before it") for said in written.lost
    )
    for text in (HEADS, "circuit a { model toy task ioi edge 0.1 at END -> logits : strict }"):
        assert not any("in a role reads" in said for said in exported(text, "eap", tmp_path)[1].lost)


def test_an_open_edge_gets_the_ways_through_mlps_and_a_strict_one_does_not(tmp_path: Path):
    edge = "circuit a {{ model toy task ioi edge 0.1 at END -> 1.0.q at END {} edge 1.0 at END -> logits : strict }}"
    graph, written = exported(edge.format(""), "eap", tmp_path)
    assert {"0.1 -> 1.0.q", "0.1 -> mlp 0", "mlp 0 -> 1.0.q"} <= set(edges(graph))
    assert written.added[0] == "2 edges through MLPs between two nodes of an edge, which recompute"
    graph, written = exported(edge.format(": strict"), "eap", tmp_path)
    assert edges(graph) == ["embed -> 0.1.q", "embed -> 0.1.k", "embed -> 0.1.v", "0.1 -> 1.0.q", "1.0 -> logits"]
    assert written.added == ("3 edges from the input, into inputs of nodes that no edge reaches",)


def test_in_a_parallel_model_no_way_leads_through_the_mlp_of_the_same_layer(tmp_path: Path):
    text = (
        "circuit a { model side_by_side task ioi edge 0.1 at END -> 1.0.q at END edge 1.0 at END -> logits : strict }"
    )
    graph, _ = exported(text, "eap", tmp_path)
    assert not [edge for edge in edges(graph) if "mlp" in edge]


def test_what_leads_nowhere_is_said(tmp_path: Path):
    text = "circuit a { model toy task ioi edge 0.1 at END -> 1.0.q at END : strict }"
    _, written = exported(text, "eap", tmp_path)
    removed = "nodes from which no edges lead to the logits, which their code removes: "
    assert any(
        said.startswith(removed) and {"0.1", "1.0"} <= set(said.removeprefix(removed).split(", "))
        for said in written.lost
    )


def test_a_file_of_theirs_is_not_added_to():
    graph = direct((Head(0, 1), Head(1, 0), "q"))
    assert cd.exchange.write(graph, "acdc").added == ()
    assert cd.exchange.write(graph, "acdc").data == (
        b"blocks.0.attn.hook_result[:, :, 1] -> blocks.1.hook_q_input[:, :, 0]\n"
    )


def test_an_edge_into_all_three_inputs_is_three_edges_where_they_are_apart():
    graph = direct((Head(0, 1), Head(1, 0), "qkv"))
    written = cd.exchange.write(graph, "acdc")
    assert written.lost == ("that 1 edge leads into q, k and v together as one edge",)
    assert written.data.count(b"hook_result[:, :, 1]") == 3
    assert cd.exchange.write(graph, "auto-circuit").data == b"A0.1->A1.0\n"


def test_a_model_without_mlps():
    graph = head_graph("0.1", "1.0", shape=ATTENTION_ONLY)
    text = cd.exchange.write(graph, "auto-circuit").data.decode()
    assert "MLP" not in text and "A0.1->A1.0.Q\n" in text


def test_acdc_has_exactly_its_edges(tmp_path: Path):
    import torch

    (tmp_path / "s.pth").write_bytes(cd.exchange.write(SMALL, "acdc-pth").data)
    content = torch.load(tmp_path / "s.pth", weights_only=True)
    # Senders before each input: 2 embeddings; a layer adds 2 heads and an MLP. Inside nodes: 6 a head, 1 an MLP.
    into_heads, into_mlps, into_logits = 6 * 2 + 6 * 5, 4 + 7, 8
    assert len(content) == into_heads + into_mlps + into_logits + 6 * 4 + 2
    key = ("blocks.1.hook_q_input", (None, None, 0), "blocks.0.attn.hook_result", (None, None, 1))
    assert content[key] is True and sum(content.values()) > len(SMALL.edges)
    assert content[("blocks.1.attn.hook_q", (None, None, 0), "blocks.1.hook_q_input", (None, None, 0))] is True
    assert content[("blocks.1.attn.hook_v", (None, None, 0), "blocks.1.hook_v_input", (None, None, 0))] is False


def test_what_only_a_specification_says_is_listed():
    text = """circuit a { model toy task ioi role r at END { 0.1 1.0 } edge 0.1 -> 1.0.q : <= -10% no edge 1.0 -> logits
      expect accuracy >= 50% control task colored_objects }"""
    circuit = resolve_text(text, "a.circuit", ENVIRONMENT).circuits[0]
    assert cd.exchange.unsaid(circuit) == (
        "1 `expect` claim",
        "1 `no edge` claim",
        "1 `control task` claim",
        "the bounds of 1 edge",
        "the model (toy), the task (ioi) and the method",
    )


def test_that_an_edge_names_a_counterfactual_is_listed():
    text = """circuit a { model toy task ioi role r at END { 0.1 1.0 }
      edge 0.1 -> 1.0.q edge 0.1 -> 1.0.q against s2_io }"""
    circuit = resolve_text(text, "a.circuit", ENVIRONMENT).circuits[0]
    assert "the counterfactual that 1 edge names" in cd.exchange.unsaid(circuit)


def test_edges_of_scores_by_receiver_are_in_the_order_of_computation(tmp_path: Path):
    import torch

    edge = GraphEdge(SMALL.edges[2].sender, SMALL.edges[2].receiver, "q", included=False, score=0.5)
    (tmp_path / "p.pt").write_bytes(cd.exchange.write(Graph(TOY, (edge,)), "auto-circuit-pt").data)
    content = torch.load(tmp_path / "p.pt", weights_only=True)
    assert {name: list(tensor.shape) for name, tensor in content.items() if "1" in name} == {
        "blocks.1.hook_q_input": [2, 4],
        "blocks.1.hook_k_input": [2, 4],
        "blocks.1.hook_v_input": [2, 4],
        "blocks.1.hook_mlp_in": [6],
        "blocks.1.hook_resid_post": [7],
    }
    assert content["blocks.1.hook_q_input"].tolist() == [[0, 0, 0.5, 0], [0, 0, 0, 0]]  # input, 0.0, 0.1, MLP 0


def test_every_format_has_its_line_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    for name in cd.exchange.formats():
        assert f"| `{name}` |" in page


def test_json_is_the_same_file_again():
    file = FILES / "eap.json"
    written = cd.exchange.write(cd.exchange.read(file, TOY), "eap")
    full = json.loads(written.data)
    for part in ("nodes", "edges"):
        given = json.loads(file.read_text())[part]
        assert {name: full[part][name] for name in given} == given
