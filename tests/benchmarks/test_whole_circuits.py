"""Circuits of edges beside the tools that judge them: what they are given, and that our engines agree."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import whole_circuits
from benchmarks.models import model_of
from benchmarks.whole_circuits import Told, circuits, rows
from circuitdsl.components import Embed, Head, Mlp


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


def test_both_engines_and_why_a_peer_is_not_measured(capsys):
    whole_circuits.main(["--shape", "tiny", "--prompts", "2", "--nodes", "3,8"])
    shown = capsys.readouterr().out
    assert "tiny-shaped, 2 prompts" in shown
    assert "give --peers-python and --eap-ig" in shown and "give --peers-python and --auto-circuit" in shown
    (fast,) = [line for line in shown.splitlines() if line.startswith("| fast engine")]
    assert 0 <= float(fast.split("|")[4]) < 1e-4


def test_how_far_figures_are_apart_is_said_over_the_largest():
    figures = np.array([[4.0, -2.0]])
    told = [
        Told("fast engine", 2.0, figures + 0.4),
        Told("plain engine", 5.0, figures),
        Told("auto-circuit", None, None, "not there"),
    ]
    assert list(rows(told)) == [
        ("fast engine", "2.0", "1.0", "1.0e-01"),
        ("plain engine", "5.0", "2.5", "0.0e+00"),
        ("auto-circuit", "not there", "", ""),
    ]
