"""Files that are wrong: an error with the place and a remedy, and nothing is dropped or executed."""

from __future__ import annotations

import json
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from graphs import ATTENTION_ONLY, ENVIRONMENT, HEADING, SMALL, TOY, head_graph

import circuitdsl as cd
from circuitdsl.errors import InputError
from circuitdsl.exchange import files


def changed(change: Callable[[dict], object]) -> str:
    """The JSON of a small circuit as EAP-IG has it, with a change."""
    content = json.loads(cd.exchange.write(SMALL, "eap").data)
    change(content)
    return json.dumps(content)


TEXTS = {
    "unknown_head": (
        changed(lambda c: c["edges"].update({"a0.h9->logits": {"score": 1, "in_graph": True}})),
        "eap",
        ['edges["a0.h9->logits"]: toy has no node that sends called `a0.h9`', "did you mean `a0.h1`?"],
    ),
    "unknown_node": (
        changed(lambda c: c["nodes"].update({"m7": {"in_graph": True}})),
        "eap",
        ["nodes.m7: toy has no node that sends called `m7`"],
    ),
    "no_edge": (
        changed(lambda c: c["edges"].update({"a0.h0": {"score": 1, "in_graph": True}})),
        "eap",
        ['edges["a0.h0"]: `a0.h0` is no edge', "sender->receiver"],
    ),
    "backwards": (
        changed(lambda c: c["edges"].update({"a1.h0->a0.h0<q>": {"score": 1, "in_graph": True}})),
        "eap",
        ["nothing can flow from 1.0 to 0.0 in toy"],
    ),
    "no_letter": (
        changed(lambda c: c["edges"].update({"a0.h0->a1.h0": {"score": 1, "in_graph": True}})),
        "eap",
        ["toy has no node that receives called `a1.h0`", "a1.h0<"],
    ),
    "score_of_text": (
        changed(lambda c: c["edges"]["m0->logits"].update(score="high")),
        "eap",
        ['edges["m0->logits"].score: "high" is not a number'],
    ),
    "huge_score": (
        changed(lambda c: c["edges"]["m0->logits"].update(score=10**400)),
        "eap",
        ['edges["m0->logits"].score: 1000'],
    ),
    "score_not_a_number": (
        changed(lambda c: c["edges"]["m0->logits"].update(score=float("nan"))),
        "eap",
        ['edges["m0->logits"].score: NaN is no score'],
    ),
    "included_by_number": (
        changed(lambda c: c["nodes"]["m0"].update(in_graph=1)),
        "eap",
        ["nodes.m0.in_graph: 1 is not true or false"],
    ),
    "unknown_key": (
        changed(lambda c: c["nodes"]["m0"].update(features=[1])),
        "eap",
        ["nodes.m0.features: this key is not known", "in_graph, score, neurons"],
    ),
    "no_nodes": (changed(lambda c: c.pop("nodes")), "eap", ["there is no `nodes`"]),
    "another_model": (
        changed(lambda c: c["cfg"].update(n_layers=12)),
        "eap",
        ["cfg.n_layers: 12, and toy has 2", "--model"],
    ),
    "neurons": (
        changed(lambda c: c["nodes"]["m0"].update(neurons=[True])),
        "eap",
        ["nodes.m0.neurons: 1 values", "a node of toy has 4"],
    ),
    "logits": (changed(lambda c: c["nodes"]["logits"].update(in_graph=False)), "eap", ["nodes.logits: the logits are"]),
    "twice": ('{"edges": {"a": 1, "a": 2}}', "eap", ['the key "a" stands twice']),
    "not_json": ('{"cfg": \n oh}', "eap", ["line 2, column 2: not JSON"]),
    "too_deep": ("[" * 100_000, "eap", ["nested deeper than 8"]),
    "many_digits": ('{"cfg": ' + "1" * 5000 + "}", "eap", ["not JSON"]),
    "not_an_object": ("[1]", "eap", ["[1] is not an object"]),
    "acdc_unknown": (
        "blocks.0.attn.hook_result[:, :, 1] -> blocks.1.hook_q_input[:, :, 7]\n",
        "acdc",
        ["line 1: toy has no node that receives called `blocks.1.hook_q_input[:, :, 7]`"],
    ),
    "acdc_twice": (
        2 * "blocks.0.attn.hook_result[:,:,1] -> blocks.1.hook_q_input[:, :, 0]\n",
        "acdc",
        ["line 2: the edge 0.1 -> 1.0.q stands here a second time"],
    ),
    "auto_circuit_unfactorised": ("# edges\nA0.0->Resid Mid 1\n", "auto-circuit", ["line 2: toy has no node that rec"]),
    "circuitkit": ('{"A0.7": 0.5}', "circuitkit", ['["A0.7"]: toy has no node that sends called `A0.7`']),
    "gv": ('digraph {\n "<a0.0>" -> "<a1.0>"\n "<a9.9>" [color=red]\n}', "knowledge-circuits", ["line 3: toy has no"]),
    "gv_other": ("digraph {\n subgraph cluster { }\n}", "knowledge-circuits", ["line 2: `subgraph cluster { }` is no"]),
    "gv_cut_off": (
        'digraph {\n "<a0.0>" -> "<a1.0>"\n "<a0.1>" -> "<a1',
        "knowledge-circuits",
        ["line 3: the graph ends before its `}`", "export it again"],
    ),
    "entity": ('{"mover": [[1, 0], [0, 7]]}', "entity-tracking", ["mover[1]: toy has no head 7 in layer 0"]),
    "entity_short": ('{"mover": [[1]]}', "entity-tracking", ["mover[0]: a head has two numbers"]),
    "entity_twice": ('{"mover": [[1, 0], [1, 0]]}', "entity-tracking", ["mover[1]: head 1.0 stands in mover a second"]),
    "seqcont": ('{"heads": [], "mlps": [2]}', "seqcont", ["mlps[0]: toy has no layer 2"]),
    "seqcont_key": ('{"heads": [], "neurons": [2]}', "seqcont", ["neurons: this key is not known"]),
    "quirke": (
        '[{"position": 3, "layer": 0, "is_head": false, "num": 5}]',
        "quirke",
        ["[0].num: a part of an MLP is no node"],
    ),
    "negative": ('[{"position": -3, "layer": 0, "is_head": true, "num": 1}]', "quirke", ["[0].position: -3 is not a"]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_wrong_file_is_an_error_with_its_place(case: str, tmp_path: Path):
    content, name, wanted = TEXTS[case]
    file = tmp_path / ("file.json" if cd.exchange.formats()[name].encoding == "json" else "file.txt")
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as found:
        cd.exchange.read(file, TOY, name)
    assert str(file) in found.value.message and found.value.remedy
    for part in wanted:
        assert part in str(found.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    file = tmp_path / "large.json"
    file.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(InputError, match="more than 1 MiB"):
        cd.exchange.read(file, TOY)


def test_files_of_no_format_or_of_several_are_told(tmp_path: Path):
    for content in ('{"schema_version": 1, "links": []}', "[]", "{}", "3"):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(InputError, match="of no format that is known here"):
            cd.exchange.read(tmp_path / "a.json", TOY)
    with pytest.raises(InputError, match="no format of circuits is called nonsense"):
        cd.exchange.read(tmp_path / "a.json", TOY, "nonsense")
    with pytest.raises(InputError, match="cannot read"):
        cd.exchange.read(tmp_path / "absent.json", TOY)
    (tmp_path / "bytes.txt").write_bytes(b"a\nb\xff")
    with pytest.raises(InputError, match="line 2: byte 3 is not UTF-8"):
        cd.exchange.read(tmp_path / "bytes.txt", TOY)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("auto_circuit.json", '{"prompts": [{"clean": "I like", "corrupt": "I hate", "answers": [" cheese"]}]}'),
        ("eap.csv", ",clean,corrupted,corrupted_hard,correct_idx,incorrect_idx\n826,a,b,c,1,2\n"),
    ],
)
def test_a_file_of_prompts_is_told_from_a_circuit(name: str, content: str, tmp_path: Path):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="holds prompts, and no circuit") as told:
        cd.exchange.read(tmp_path / name, TOY)
    assert "circuitdsl tasks new" in str(told.value)


class Harmful:
    """What a pickle would do when it is read."""

    ran = False

    def __reduce__(self):
        return (setattr, (Harmful, "ran", True))


@pytest.mark.parametrize("name", ["edges.pkl", "edges.pt", "edges.pth"])
def test_no_pickle_is_executed(name: str, tmp_path: Path):
    if name.endswith(".pkl"):
        (tmp_path / name).write_bytes(pickle.dumps([Harmful()]))
    elif name.endswith(".pt"):
        torch.save({"edges_scores": Harmful()}, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps({"edges_scores": Harmful()}))
    with pytest.raises(InputError) as found:
        cd.exchange.read(tmp_path / name, TOY)
    assert "pickle" in str(found.value) or "refused" in str(found.value)
    assert not Harmful.ran


def small_tensors() -> dict:
    import io

    return torch.load(io.BytesIO(cd.exchange.write(SMALL, "eap-pt").data), weights_only=True)


def nested() -> torch.Tensor:
    """Rows of two lengths. Making one warns, reading it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)])


def _in_of_no_edge(content: dict) -> None:
    content["edges_in_graph"][5, 0] = True


def _score_of_no_edge(content: dict) -> None:
    content["edges_scores"][6, 0] = 0.5


TENSORS = {
    "shape": (lambda c: c.update(edges_scores=torch.zeros(3, 4)), "edges_scores: its shape is [3, 4]"),
    "kind": (lambda c: c.update(nodes_in_graph=torch.zeros(7)), "nodes_in_graph: its values are torch.float32"),
    "no_tensor": (lambda c: c.update(edges_scores=[1.0]), "edges_scores: a list is no tensor"),
    "order": (lambda c: c["src_nodes"].reverse(), "src_nodes[0]: `m1` where `input` should be"),
    "no_edge": (_in_of_no_edge, "edges_in_graph: a1.h1->a0.h0<q> is no edge of toy"),
    "no_edge_scored": (_score_of_no_edge, "edges_scores: m1->a0.h0<q> is no edge of toy"),
    "nan": (lambda c: c["edges_scores"].fill_(float("nan")), "edges_scores[0][0]: NaN is no score"),
    "sparse": (lambda c: c.update(edges_scores=c["edges_scores"].to_sparse()), "edges_scores: it is a sparse or"),
    "no_values": (lambda c: c.update(edges_scores=c["edges_scores"].to("meta")), "edges_scores: it is a sparse or"),
    "nested": (lambda c: c.update(edges_scores=nested()), "edges_scores: it is a sparse or nested tensor"),
    "more": (lambda c: c.update(gradients=torch.zeros(3)), "gradients: this key is not known"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_wrong_tensors_are_errors_with_their_place(case: str, tmp_path: Path):
    change, wanted = TENSORS[case]
    content = small_tensors()
    change(content)
    torch.save(content, tmp_path / "scores.pt")
    with pytest.raises(InputError) as found:
        cd.exchange.read(tmp_path / "scores.pt", TOY, "eap-pt")
    assert wanted in str(found.value)


def test_a_file_that_is_no_pt_file_is_told(tmp_path: Path):
    (tmp_path / "scores.pt").write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(InputError, match=r"scores\.pt"):
        cd.exchange.read(tmp_path / "scores.pt", TOY)


SUBGRAPHS = {
    "unknown": ((("blocks.1.hook_q_input", (None, None, 5), "hook_embed", (None,)), True), "no node that receives"),
    "key": (("edge", True), "this key is no edge"),
    "index": ((("blocks.1.hook_mlp_in", (), "hook_embed", (None,)), True), "an index is (None,)"),
    "value": ((("blocks.1.hook_mlp_in", (None,), "hook_embed", (None,)), 1), "1 is not true or false"),
    "closed": (
        (("blocks.1.attn.hook_q", (None, None, 0), "blocks.1.hook_q_input", (None, None, 0)), False),
        "it is left out, while 0.1 -> 1.0.q",
    ),
}


@pytest.mark.parametrize("case", SUBGRAPHS)
def test_wrong_subgraphs_of_acdc_are_errors(case: str, tmp_path: Path):
    (key, value), wanted = SUBGRAPHS[case]
    content = OrderedDict(
        {("blocks.1.hook_q_input", (None, None, 0), "blocks.0.attn.hook_result", (None, None, 1)): True}
    )
    content[key] = value
    torch.save(content, tmp_path / "subgraph.pth")
    with pytest.raises(InputError) as found:
        cd.exchange.read(tmp_path / "subgraph.pth", TOY, "acdc-pth")
    assert wanted in str(found.value)


# --- choosing, writing -------------------------------------------------------------------------------


def test_what_cannot_be_chosen_is_told():
    with pytest.raises(InputError, match="nothing in this file has a score"):
        cd.exchange.top(SMALL, 3, "absolute")
    scored = cd.exchange.GraphEdge(SMALL.edges[0].sender, None, score=-0.5)
    graph = cd.exchange.Graph(TOY, (scored,))
    with pytest.raises(InputError, match="ask for 1 to 1"):
        cd.exchange.top(graph, 2, "absolute")
    with pytest.raises(InputError, match=r"no score is at least 0\.1, signed"):
        cd.exchange.above(graph, 0.1, "signed")
    with pytest.raises(InputError, match="at least one of them"):
        cd.exchange.top_share(graph, 0.5, "signed")
    with pytest.raises(InputError, match="300% of 1 scores cannot be taken"):
        cd.exchange.top_share(graph, 3, "signed")


def test_what_no_format_can_hold_is_told():
    with pytest.raises(InputError, match="holds scores of edges, and the circuit has none"):
        cd.exchange.write(SMALL, "auto-circuit-pt")
    with pytest.raises(InputError, match=r"holds scores of nodes, and 0\.1 has none"):
        cd.exchange.write(head_graph("0.1"), "circuitkit")
    with pytest.raises(InputError, match="--position 18=END"):
        cd.exchange.write(head_graph("0.1"), "quirke")
    with pytest.raises(InputError, match="nothing of this circuit can be written as seqcont"):
        cd.exchange.write(cd.exchange.Graph(ATTENTION_ONLY), "seqcont")


def test_what_is_no_specification_is_told(tmp_path: Path):
    spec = cd.exchange.to_spec
    with pytest.raises(InputError, match="nothing is marked as being in the circuit") as found:
        spec(cd.exchange.Graph(TOY), HEADING, ENVIRONMENT)
    assert "it has no scores either" in str(found.value.remedy)
    scored = cd.exchange.Graph(TOY, edges=(replace(SMALL.edges[0], included=False, score=0.5),))
    with pytest.raises(InputError, match="nothing is marked as being in the circuit") as found:
        spec(scored, HEADING, ENVIRONMENT)
    assert "--threshold 0.01 --by absolute" in str(found.value.remedy)
    with pytest.raises(InputError, match="is no task"):
        spec(SMALL, cd.exchange.Heading("a", "toy", "ioi role r { 0.1 }"), ENVIRONMENT)
    with pytest.raises(InputError, match="no node stands at position 3"):
        spec(SMALL, HEADING, ENVIRONMENT, {"3": "END"})
    with pytest.raises(InputError, match="is no position"):
        spec(SMALL, HEADING, ENVIRONMENT, {"all": "END } edge"})
    with pytest.raises(InputError, match="the circuit is one of toy, and side_by_side has another shape"):
        spec(SMALL, cd.exchange.Heading("a", "side_by_side", "ioi"), ENVIRONMENT)
    (tmp_path / "q.json").write_text('[{"position": 18, "layer": 0, "is_head": true, "num": 1, "tags": []}]')
    graph = cd.exchange.read(tmp_path / "q.json", TOY)
    with pytest.raises(InputError, match=r"0\.1 stands at position 18, and task ioi has none of that name") as found:
        spec(graph, HEADING, ENVIRONMENT)
    assert str(found.value.remedy).endswith("positions: IO, S1, S2, END, all")
    (tmp_path / "r.json").write_text('{"a": [[1, 0]], "b": [[1, 0]]}')
    with pytest.raises(InputError, match=r"1\.0 is in roles a and b at the same position"):
        spec(cd.exchange.read(tmp_path / "r.json", TOY), HEADING, ENVIRONMENT)
