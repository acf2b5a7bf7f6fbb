"""How verdicts grow: what is measured is a check that is searched, on prompts of the length that is said."""

from __future__ import annotations

import json

from benchmarks.truth.relay import shaped_relay
from benchmarks.verdict_growth import SIZES, STAGES, Check, chart, lines, measured, shape

FEW = Check(layers=4, heads=3, prompts=24, length=16, claims=3)


def test_prompts_have_as_many_tokens_as_is_said_and_their_positions_move_with_them():
    relay = shaped_relay(1, STAGES, shape(FEW))
    for length in SIZES["length"]:
        for short, long in zip(relay.prompts(4, 1).splitlines(), lines(relay, 4, length).splitlines(), strict=True):
            short, long = json.loads(short), json.loads(long)
            texts = [long["prompt"], *long["counterfactuals"].values()]
            assert {len(text.split()) for text in texts} == {length - 1}  # and a BOS
            assert long["prompt"].endswith(short["prompt"])
            for name, (start, stop) in short["positions"].items():
                first, last = long["positions"][name]
                assert long["prompt"][first:last] == short["prompt"][start:stop]


def test_the_search_is_measured_apart_and_drawn():
    point = measured(FEW, "claims")
    assert (point.size, point.heads) == (3, 12)
    assert 1 < point.passes[1] < point.passes[0] <= 2 * point.planned
    assert set(chart([point]).to_dict()) >= {"vconcat"}
