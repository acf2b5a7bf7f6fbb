"""Circuits of edges beside the tools that judge them: what they are given, and what is said of their figures."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import whole_circuits
from benchmarks.cases import LOGIT_DIFF
from benchmarks.models import DATA, SHAPES, model_of, prompts_of
from benchmarks.peers import Peers
from benchmarks.whole_circuits import Told, circuits, measured, rows
from circuitdsl.components import Embed, Head, Mlp
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.measures.experiments import Clean, Experiment


@pytest.fixture(scope="module")
def some():
    return circuits(model_of("tiny").geometry, [3, 8])


def test_smaller_circuits_are_parts_of_larger_ones(some):
    small, large = (set(each.edges) for each in some)
    assert small < large
    assert [each.nodes for each in some] == [3, 8]
    senders = {sender for sender, _, _ in large}
    assert len(senders) == 9 and Embed() in senders


def test_edges_lead_to_what_is_computed_later(some):
    for sender, receiver, which in some[-1].edges:
        assert which in ("q", "k", "v") if isinstance(receiver, Head) else which == ""
        if receiver is not None and not isinstance(sender, Embed):
            assert sender.layer < receiver.layer or (isinstance(sender, Head) and isinstance(receiver, Mlp))
    into = [which for _, receiver, which in some[-1].edges if isinstance(receiver, Head)]
    assert into.count("q") == into.count("k") == into.count("v")


def test_why_a_peer_is_not_measured(capsys):
    whole_circuits.main(["--shape", "tiny", "--prompts", "2", "--nodes", "3"])
    shown = capsys.readouterr().out
    assert "tiny-shaped, 2 prompts; circuits of" in shown and "| circuitdsl " in shown
    assert "give --peers-python and --eap-ig" in shown and "give --peers-python and --auto-circuit" in shown


def test_a_circuit_of_all_nodes_is_the_model_itself():
    model, prompts = model_of("tiny"), prompts_of(3, whole_circuits.LENGTH, SHAPES["tiny"].vocabulary)
    (ours, *_) = measured("tiny", len(prompts), [20, 3], Peers(), None)
    clean = Experiment(DATA, Clean(), LOGIT_DIFF)
    results = FastEngine(model).run(DATA, prompts, 0, len(prompts), [clean])
    assert ours.figures is not None
    assert ours.figures[1] == pytest.approx(results[clean], abs=1e-5)
    assert not np.allclose(ours.figures[0], ours.figures[1], rtol=0.1)


def test_how_far_figures_are_apart_is_said_over_the_largest():
    figures = np.array([[4.0, -2.0]])
    told = [
        Told(whole_circuits.OURS, 2.0, figures),
        Told("another", 5.0, figures + 0.4),
        Told("auto-circuit", None, None, "not there"),
    ]
    assert list(rows(told)) == [
        ("circuitdsl", "2.0", "1.0", "0.0e+00"),
        ("another", "5.0", "2.5", "1.0e-01"),
        ("auto-circuit", "not there", "", ""),
    ]
