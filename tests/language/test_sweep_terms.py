"""A sweep is read as a specification that says the same: its words, its settings, its errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.components import END, Head, Mlp, Position
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, LogitsReceiver, Nodes, Receivers, Term
from circuitdsl.language.circuit import Path as Way
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.sweep import SWEEP_SETTINGS, Sweep, read_sweep

PROMPT = '{"prompt": "Mary gave a ball to", "answer": " Anna", "wrong": [" Mary"]}\n'


def read(*terms: str, task: str = "ioi", model: str = "mini", **settings: str) -> Sweep:
    return read_sweep(task, terms, model, settings, cd.environment())


def path_of(term: Term) -> Way:
    (_, path), *_ = term.arguments
    assert isinstance(path, Way)
    return path


def test_without_terms_everything_sends_to_the_logits():
    (term,) = read().terms
    path = path_of(term)
    assert (term.measure, term.options) == ("effect", ())
    assert isinstance(path.receivers, LogitsReceiver)
    assert {node.position for node in path.senders.nodes} == {END}
    assert len(path.senders.nodes) == 4 * 8 + 4
    assert {type(node.component) for node in path.senders.nodes} == {Head, Mlp}


def test_a_model_without_mlps_has_heads_alone():
    (term,) = read(task="induction", model="planted-induction").terms
    assert {type(node.component) for node in path_of(term).senders.nodes} == {Head}


def test_the_circuit_of_a_sweep_has_a_method_and_nothing_else():
    circuit = read(metric="probability", prompts="40", floor="2%", bos="yes", ablate="mean", against="s2_io").circuit
    assert isinstance(circuit, Circuit)
    assert (circuit.model, circuit.roles, circuit.claims) == ("mini", (), ())
    method = circuit.method
    assert (method.metric, method.prompts_first, method.prompts_most) == ("probability", 40, 40)
    assert (method.floor, method.bos, method.ablate, method.against) == (0.02, True, "mean", "s2_io")


def test_a_path_is_an_effect_and_senders_stand_where_they_are_written():
    short, long = read("{ 0.3 mlp 1 } at S2 -> 2.3.q at END", "effect({ 0.3 mlp 1 } at END -> 2.3.q at END)").terms
    path = path_of(short)
    assert [str(node) for node in path.senders.nodes] == ["0.3 at S2", "mlp 1 at S2"]
    assert isinstance(path.receivers, Receivers)
    assert path.receivers.reads() == (*((node, "q") for node in path.receivers.nodes),)
    assert [str(node) for node in path.receivers.nodes] == ["2.3 at END"]
    assert path_of(long).senders.nodes[0].position == END


def test_without_a_position_senders_stand_everywhere():
    (term,) = read("knockout({ 0.3 mlp 1 })").terms
    (_, nodes), *_ = term.arguments
    assert isinstance(nodes, Nodes)
    assert {node.position for node in nodes.nodes} == {Position("all")}


def test_a_term_that_is_given_twice_counts_once():
    assert len(read("heads -> logits", "heads -> logits", "mlps -> logits").terms) == 2


def test_options_of_a_measurement_are_kept():
    (term,) = read("effect(heads at END -> logits, strict)").terms
    assert term.options == ("strict",)


@pytest.mark.parametrize("name", ["own.jsonl", 'a "b" \\ c.jsonl', "Ünïcode } circuit.jsonl"])
def test_a_file_of_prompts_is_a_task_whatever_it_is_called(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(PROMPT, encoding="utf-8")
    task = read("knockout(heads)", task=name).circuit.task
    assert (task.name, task.arguments) == ("file", (("", name),))
    assert read("knockout(heads)", task=str(tmp_path / name)).circuit.task.name == "file"


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("C401", lambda: read("heads at S9 -> logits")),
        ("C301", lambda: read("knockout({ 9.1 })")),
        ("C305", lambda: read("heads -> 0.1.q")),
        ("C203", lambda: read("movers -> logits")),
        ("C205", lambda: read("knokout(heads)")),
        ("C203", lambda: read("mlps -> logits", task="induction", model="planted-induction")),
        ("C501", lambda: read("attention(heads)")),
        ("C101", lambda: read("heads - logits")),
        ("C202", lambda: read(task="nope")),
    ],
)
def test_what_the_language_does_not_allow_is_a_diagnostic(code: str, wrong: Callable[[], Sweep]):
    with pytest.raises(SpecError) as error:
        wrong()
    assert code in {diagnostic.code for diagnostic in error.value.diagnostics}


def test_a_message_shows_what_was_written_and_no_more():
    with pytest.raises(SpecError) as error:
        read("heads at S9 -> logits")
    assert "\n8 | effect(heads at S9 -> logits)\n" in error.value.render()
    assert "circuit sweep" not in error.value.render()


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("floor", "0.02", "C213"),
        ("metric", "accurcy", "C213"),
        ("against", "nope", "C214"),
        ("seed", "-1", "C213"),
        ("prompts", "many", "C213"),
    ],
)
def test_settings_are_written_as_in_a_method(setting: str, value: str, code: str):
    with pytest.raises(SpecError) as error:
        read(**{setting: value})
    assert code in {diagnostic.code for diagnostic in error.value.diagnostics}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("minimality is no figure of one sender", lambda: read("minimality(heads)")),
        ("completeness is no figure of one sender", lambda: read("completeness(heads)")),
        ("does not end with its parenthesis", lambda: read("knockout(heads) <= -10%")),
        ("no setting members", lambda: read(members="none")),
        ("no setting vary", lambda: read(vary="ablate: zero")),
        ("one number of prompts", lambda: read(prompts="20 to 40")),
        ("a sample of prompts", lambda: read(task="greater_than", model="gpt2", prompts="all")),
    ],
)
def test_what_no_sweep_can_be_of_is_refused(said: str, wrong: Callable[[], Sweep]):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in error.value.message
    assert error.value.remedy


def test_what_is_suspicious_is_said():
    (warning,) = read("heads at S2 -> logits").loaded.warnings
    assert warning.code == "C490"


def test_every_setting_that_is_not_of_a_circuits_claims_can_be_had():
    assert set(SWEEP_SETTINGS) == {
        *("metric", "against", "ablate", "reference", "prompts", "floor", "confidence", "seed", "bos", "processing")
    }
