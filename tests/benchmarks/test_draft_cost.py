"""What a draft is compared with is the published loop, and ACDC's graph has the edges that it is known to have."""

from __future__ import annotations

from pathlib import Path

import pytest

import circuitdsl as cd
from benchmarks.by_hand import ByHand
from benchmarks.draft_cost import Loop, all_edges, edges_into, geometry_of
from benchmarks.models import SHAPES
from circuitdsl.components import END, Head, Mlp, Node, Position
from circuitdsl.language.circuit import LogitsReceiver, Nodes, Receivers
from circuitdsl.language.circuit import Path as Way

S2 = Position("S2")


def test_a_patch_is_that_of_path_patching_by_hand(tmp_path: Path):
    file = tmp_path / "c.circuit"
    file.write_text("circuit c { model mini task ioi method { prompts 12 } expect logit_diff >= 1 }", encoding="utf-8")
    hand = ByHand(cd.load(file).circuits[0], 12)
    loop = Loop(hand.model, hand.prompts, "abc")
    sender, readers = Node(Head(1, 6), S2), (Node(Head(2, 3), S2), Node(Head(3, 7), S2))
    into = Way(Nodes("", (sender,)), Receivers("", readers, "v"))
    patched = hand.metric(loop.patch(sender, [(reader, "v") for reader in readers]))
    assert patched == pytest.approx(hand.path(into), abs=1e-4)
    assert abs(patched - hand.metric(hand.clean[0])) > 0.01
    last = Node(Head(2, 3), END)
    assert hand.metric(loop.patch(last, [])) == pytest.approx(
        hand.path(Way(Nodes("", (last,)), LogitsReceiver())), abs=1e-4
    )


def test_acdc_has_32491_edges_in_gpt2_small():
    """As EAP-IG counts them (Hanna et al. 2024)."""
    small = geometry_of("small", SHAPES["small"])
    assert all_edges(small) == 32_491
    assert edges_into(Head(0, 3), small) == 3 and edges_into(Mlp(0), small) == 13 and edges_into(None, small) == 157
