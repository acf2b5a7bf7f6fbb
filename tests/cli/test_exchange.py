"""``circuitdsl import`` and ``circuitdsl export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run

import circuitdsl as cd
from circuitdsl.components import ALL, Head, Node, all_heads, all_mlps

MINI = cd.environment().geometry("mini")
HEADS = """circuit heads {
  model mini
  task  ioi
  role mover at END { 3.0  3.2 }
  edge 1.6 at S2 -> 3.0.v
  expect faithfulness >= 20%
}
"""


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A file of EAP-IG about mini: every edge with a score, signs in turn, and some in the circuit."""
    spec = tmp_path / "heads.circuit"
    spec.write_text(HEADS)
    file = tmp_path / "found by eap.json"
    assert run("export", spec, "--format", "eap", "-o", file).code == 0
    content = json.loads(file.read_text())
    for number, edge in enumerate(content["edges"].values()):
        edge["score"] = (-1) ** number * number / 1000
    file.write_text(json.dumps(content))
    return file


def imported(file: Path, *options: str) -> str:
    ended = run("import", file, "--model", "mini", "--task", "ioi", *options)
    assert ended.code == 0, ended.err
    return ended.out


def test_a_file_becomes_a_specification_that_lints_clean(scored: Path, tmp_path: Path):
    spec = tmp_path / "found.circuit"
    ended = run("import", scored, "-m", "mini", "-t", "ioi", "-o", spec)
    assert (ended.code, ended.out) == (0, "")
    assert "not kept: the scores of" in ended.err
    assert run("lint", spec) == (0, "nothing is wrong\n", "")
    assert run("fmt", "--check", spec).code == 0
    assert spec.read_text().startswith('circuit found_by_eap {\n  about "from found by eap.json, format eap"\n')
    circuit = cd.load(spec).circuits[0]
    assert circuit.of_edges
    marked = sum(edge["in_graph"] for edge in json.loads(scored.read_text())["edges"].values())
    assert len(circuit.claims) == marked > 9


def test_scores_are_chosen_and_the_rule_is_written_down(scored: Path):
    text = imported(scored, "--top", "3", "--by", "absolute", "--name", "top3")
    last = json.loads(scored.read_text())["edges"]
    assert f"format eap: the 3 highest of {len(last)} edge scores, by absolute value" in text
    assert text.startswith("circuit top3 {") and text.count("-> logits : strict") == 1  # the last three go there
    assert "the 1 highest of" not in imported(scored, "--threshold", "0.01", "--by", "signed")
    share = imported(scored, "--top", "0.5%", "--by", "signed")
    assert f"the {len(last) // 200} highest of {len(last)} edge scores, signed" in share


def test_a_circuit_comes_back_from_every_format_of_edges(tmp_path: Path):
    spec = tmp_path / "a.circuit"
    spec.write_text(
        "circuit a { model mini task ioi edge embed -> 1.6.v at all : strict edge 1.6 at all -> 3.0.v : strict "
        "edge 3.0 at all -> logits : strict }"
    )
    before = {str(path) for path in cd.load(spec).circuits[0].paths()}
    ends = {"eap": "json", "eap-pt": "pt", "acdc": "txt", "acdc-pth": "pth", "auto-circuit": "txt"}
    for name, end in ends.items():
        file, again = tmp_path / f"{name}.{end}", tmp_path / f"{name}.circuit"
        assert run("export", spec, "-f", name, "-o", file).code == 0
        assert run("import", file, "-m", "mini", "-t", "ioi", "-o", again).code == 0
        circuit = cd.load(again).circuits[0]
        assert {str(path) for path in circuit.paths()} == before
        assert all(claim.term.options == ("strict",) for claim in circuit.claims)


def test_what_is_not_kept_and_what_is_added_is_said(tmp_path: Path):
    spec = tmp_path / "heads.circuit"
    spec.write_text(HEADS)
    ended = run("export", spec, "--format", "eap")
    content = json.loads(ended.out)
    nodes = len(all_heads(MINI)) + len(all_mlps(MINI)) + 2
    assert ended.code == 0 and len(content["nodes"]) == nodes
    assert "not kept: 1 `expect` claim\n" in ended.err
    assert "not kept: which role nodes have: mover\n" in ended.err
    assert "added: " in ended.err and "from the input, into inputs of nodes that no edge reaches" in ended.err
    heads = run("export", spec, "--format", "seqcont")
    assert json.loads(heads.out)["heads"][:2] == [[3, 0], [3, 2]]
    assert "not kept: 1 edge\n" in heads.err


def test_numbered_positions_are_named_both_ways(tmp_path: Path):
    file, spec = tmp_path / "q.json", tmp_path / "q.circuit"
    file.write_text('[{"position": 18, "layer": 3, "is_head": true, "num": 0, "tags": []}]')
    assert run("import", file, "-m", "mini", "-t", "ioi", "--position", "18=END", "-o", spec).code == 0
    assert "at END" in spec.read_text()
    ended = run("export", spec, "-f", "quirke", "--position", "18=END")
    assert json.loads(ended.out) == json.loads(file.read_text())


WRONG = {
    "neither_rule": (["--top", "3"], "say which: --by absolute or --by signed"),
    "both": (["--top", "3", "--threshold", "0.1", "--by", "signed"], "leave one out"),
    "by_alone": (["--by", "signed"], "add --top or --threshold"),
    "no_number": (["--top", "many", "--by", "signed"], "write --top 200 or --top 2%"),
    "too_many": (["--top", "999999", "--by", "signed"], "there are not 999999 highest"),
    "position": (["--position", "18"], "write the file's position and the task's: 18=END"),
    "task": (["--task", "ioy"], "the tasks are acronyms"),
    "model": (["--model", "gpt2"], "cfg.n_layers: "),
    "format": (["--format", "acdc"], "line 1: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_end_with_2_and_a_remedy(case: str, scored: Path, tmp_path: Path):
    options, wanted = WRONG[case]
    out = tmp_path / "never.circuit"
    ended = run("import", scored, "--model", "mini", "--task", "ioi", "-o", out, *options)
    assert ended.code == 2 and wanted in ended.err and "help: " in ended.err
    assert not out.exists()


def test_tensors_are_not_printed(tmp_path: Path):
    spec = tmp_path / "heads.circuit"
    spec.write_text(HEADS)
    ended = run("export", spec, "-f", "eap-pt")
    assert (ended.code, ended.out) == (2, "") and "--output circuit.pt" in ended.err


def test_a_circuit_of_30000_edges_is_read_and_written(tmp_path: Path):
    """The file of GPT-2 small, and a specification of most of it that is no longer than one may be."""
    gpt2 = cd.environment().geometry("gpt2")
    nodes = (cd.exchange.GraphNode(Node(Head(0, 0), ALL)),)
    written = cd.exchange.write(cd.exchange.Graph(gpt2, (), nodes), "eap")
    file = tmp_path / "all.json"
    file.write_bytes(written.data)
    graph = cd.exchange.read(file, gpt2)
    assert len(graph.edges) == 32_491 and len(graph.nodes) == 157
    ranked = [cd.exchange.GraphEdge(e.sender, e.receiver, e.which, score=n) for n, e in enumerate(graph.edges)]
    chosen = cd.exchange.top(cd.exchange.Graph(gpt2, tuple(ranked)), 30_000, "signed")
    heading = cd.exchange.Heading("large", "gpt2", "ioi")
    text = cd.exchange.to_spec(chosen, heading, cd.environment()).data
    assert len(text) < 1_000_000  # what a specification may have
