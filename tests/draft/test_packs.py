"""Senders are settled in packs: only those whose pack is surely nothing, by as few patches as there may be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from circuitdsl.draft.packs import FILLED, packed, parts_of, settled_together

FLOOR = 0.01

effects = st.dictionaries(st.integers(0, 200), st.floats(-0.03, 0.03, allow_nan=False), min_size=1, max_size=60)


@given(sizes=effects)
def test_a_pack_has_senders_of_one_input_and_one_sign_that_add_up_to_little(sizes: dict[int, float]):
    into = {sender: sender % 3 for sender in sizes}
    packs = packed(sizes, into, FLOOR)
    inside = [sender for pack in packs for sender in pack]
    assert len(inside) == len(set(inside))
    for pack in packs:
        assert len(pack) > 1
        assert len({(into[sender], sizes[sender] < 0) for sender in pack}) == 1
        assert sum(abs(sizes[sender]) for sender in pack) <= FILLED * FLOOR * (1 + 1e-9)


@given(number=st.integers(1, 400))
def test_the_parts_of_a_pack_are_all_of_it_and_few(number: int):
    parts = list(parts_of(tuple(range(number))))
    assert [sender for part in parts for sender in part] == (list(range(number)) if number > 8 else [])
    assert all(len(part) <= math.isqrt(number) for part in parts) and len(parts) <= math.sqrt(number) + 3


@given(true=effects, seed=st.randoms(use_true_random=False))
def test_who_does_something_is_not_settled_where_effects_add_up_and_none_cancels(true: dict[int, float], seed):
    """However wrong the sizes are: patching decides."""
    true = {sender: abs(effect) for sender, effect in true.items()}
    sizes = {sender: seed.uniform(-0.004, 0.004) for sender in true}
    asked = 0

    def nothing(packs: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        nonlocal asked
        asked += len(packs)
        return [pack for pack in packs if sum(true[sender] for sender in pack) < FLOOR]

    settled = settled_together(packed(sizes, dict.fromkeys(sizes, "q"), FLOOR), nothing)
    assert all(true[sender] < FLOOR for sender in settled)
    assert asked <= len(true) // 2, "which is what a plan has"


def test_what_does_nothing_is_settled_by_a_single_patch_and_one_that_was_sized_wrongly_is_found():
    senders = tuple(range(100))
    seen: list[tuple[int, ...]] = []

    def nothing(packs: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        seen.extend(packs)
        return [pack for pack in packs if 42 not in pack]

    into = dict.fromkeys(senders, "q")
    assert settled_together(packed(dict.fromkeys(senders, 0.0), into, FLOOR), nothing) == set(senders) - set(
        range(40, 50)
    )
    assert len(seen) == 1 + 10
    assert not settled_together([], nothing)
