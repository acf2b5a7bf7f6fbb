"""How the fast engine behaves: what it refuses, what it leaves untouched, what it counts, how it meets its limits."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np
import pytest
import torch
from random_models import DATA, HEADS, LAYERS, VOCABULARY, Draw, architecture, folder, prompts
from scarce import leave_room_for_three
from transformers import Qwen3Config, Qwen3ForCausalLM

from arrays import array, arrays
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast import caches
from circuitdsl.engine.fast.edits import Edit, Rows
from circuitdsl.engine.fast.engine import FastEngine, engine_for
from circuitdsl.engine.fast.hook_points import before_outputs
from circuitdsl.engine.fast.masks import Mask
from circuitdsl.engine.fast.memory import in_chunks
from circuitdsl.engine.fast.region import only, onward
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Ablated,
    Attention,
    Clean,
    Experiment,
    FromCounterfactual,
    Isolated,
    Metric,
    Patched,
    Zero,
)
from circuitdsl.measures.measurement import Failure
from circuitdsl.models import open_model

END = Position("END")
LOGIT_DIFF = Metric("logit_diff")
EVERY_HEAD = [Head(layer, index) for layer in range(LAYERS) for index in range(HEADS)]


def sweep(position: Position = END) -> list[Experiment]:
    worlds = (Ablated(frozenset({Node(head, position)}), FromCounterfactual("x")) for head in EVERY_HEAD)
    return [Experiment(DATA, world, LOGIT_DIFF) for world in worlds]


def test_an_architecture_that_is_not_covered_is_run_by_the_plain_engine_which_says_so():
    config = Qwen3Config(  # it normalises queries and keys
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        hidden_size=8,
        intermediate_size=8,
        vocab_size=VOCABULARY,
    )
    engine = engine_for(open_model(folder(Qwen3ForCausalLM(config))))
    assert engine.name == "plain"
    assert "would differ from TransformerLens" in engine.note


def test_a_covered_architecture_is_run_fast_and_needs_no_note():
    engine = engine_for(architecture("gpt2"))
    assert (engine.name, engine.note) == ("fast", "")


def test_the_model_is_left_as_it_was():
    model = architecture("llama, grouped queries")
    before = {name: value.clone() for name, value in model.bridge.state_dict().items()}
    tokens = torch.randint(3, VOCABULARY, (2, 6))
    logits = model.bridge(tokens)
    experiments = [Experiment(DATA, *pair) for pair in Draw(model.geometry, 3).experiments(10)]
    references = references_over(prompts(30, 1), experiments)
    FastEngine(model).run(DATA, prompts(30, 0), 0, 8, list(dict.fromkeys(experiments)), references)
    assert all(torch.equal(before[name], value) for name, value in model.bridge.state_dict().items())
    assert torch.equal(model.bridge(tokens), logits)
    assert not any(point.fwd_hooks for point in model.bridge.hook_dict.values())


@pytest.mark.parametrize(
    "world",
    [
        Ablated(frozenset({Node(Head(0, 0), Position("nowhere"))}), Zero()),
        Ablated(frozenset({Node(Head(0, 0), END)}), FromCounterfactual("absent")),
        Patched(frozenset({Node(Head(0, 0), END)}), frozenset({(Node(Head(1, 0), Position("Z")), "q")}), "x", False),
    ],
)
def test_what_cannot_be_run_fails_as_in_the_plain_engine(world):
    model = architecture("gpt2")
    experiment, good = Experiment(DATA, world, LOGIT_DIFF), sweep()[0]
    stream = prompts(10, 1)
    ours = FastEngine(model).run(DATA, stream, 0, 4, [experiment, good])
    theirs = PlainEngine(model).run(DATA, stream, 0, 4, [experiment])
    assert isinstance(ours[experiment], Failure)
    assert ours[experiment] == theirs[experiment]
    assert isinstance(ours[good], np.ndarray)  # one failure leaves the others alone


def test_senders_that_cannot_reach_the_receiver_leave_the_clean_figure():
    model, stream = architecture("gpt2"), prompts(8, 0)
    receivers = frozenset({(Node(Head(2, 0), END), "q")})
    both = frozenset({Node(Head(0, 1), Position("A")), Node(Head(1, 1), END)})
    worlds = [Patched(senders, receivers, "x", False) for senders in (both, frozenset({Node(Head(2, 3), END)}))]
    experiments = [Experiment(DATA, world, LOGIT_DIFF) for world in (*worlds, Clean())]
    ours = arrays(FastEngine(model).run(DATA, stream, 0, 8, experiments))
    theirs = arrays(PlainEngine(model).run(DATA, stream, 0, 8, experiments))
    assert all(np.allclose(ours[each], theirs[each], rtol=1e-4, atol=1e-5) for each in experiments)
    assert np.allclose(ours[experiments[1]], ours[experiments[2]])
    assert not np.allclose(ours[experiments[0]], ours[experiments[2]])


def test_a_patch_that_changes_nothing_is_a_failure():
    model = architecture("gpt2")
    same = [prompt.__class__(**{**vars(prompt), "counterfactuals": {"x": prompt.tokens}}) for prompt in prompts(6, 2)]
    experiment = sweep()[0]
    ours = FastEngine(model).run(DATA, same, 0, 6, [experiment])[experiment]
    assert ours == PlainEngine(model).run(DATA, same, 0, 6, [experiment])[experiment]
    assert isinstance(ours, Failure) and "changed nothing" in ours.message


def test_readings_that_it_leaves_to_the_plain_engine_still_come_back():
    from circuitdsl.language.circuit import FromTo

    model = architecture("gpt2")
    reading = Attention(Head(2, 1), FromTo(END, Position("A")))
    experiment = Experiment(DATA, Isolated(frozenset(), Zero(), mlps=False), reading)
    engine, stream = FastEngine(model), prompts(5, 0)
    assert not engine.covers(experiment)
    ours = array(engine.run(DATA, stream, 0, 5, [experiment])[experiment])
    assert np.allclose(ours, array(PlainEngine(model).run(DATA, stream, 0, 5, [experiment])[experiment]))


def test_a_sweep_at_the_end_counts_a_few_passes_and_not_one_for_each_head():
    model, stream = architecture("gpt2"), prompts(20, 0)
    fast: list[int] = []
    plain: list[int] = []
    FastEngine(model, tick=fast.append).run(DATA, stream, 0, 20, sweep())
    PlainEngine(model, tick=plain.append).run(DATA, stream, 0, 20, sweep())
    assert 2 * 20 <= sum(fast) <= 5 * 20
    assert sum(plain) >= len(EVERY_HEAD) * 20


# --- the parts -------------------------------------------------------------------------------------


def test_chunks_halve_when_memory_runs_out_and_nothing_is_run_twice():
    sizes: list[int] = []
    done: list[int] = []

    def run(chunk):
        sizes.append(len(chunk))
        if len(chunk) > 3:
            raise MemoryError
        return [item * item for item in chunk]

    def take(chunk, squares):
        assert squares == [item * item for item in chunk]
        done.extend(chunk)

    assert in_chunks([range(8), range(8, 10)], run, take) == 2
    assert sizes == [8, 4, 2, 2, 2, 2, 1, 1]
    assert done == list(range(10))


def test_on_several_threads_chunks_are_taken_in_order_and_once():
    taken: list[int] = []
    third = threading.Event()

    def run(chunk):
        if len(chunk) > 2:
            raise MemoryError
        if chunk[0] == 0:
            assert third.wait(60)  # until a later one is done
        if chunk[0] == 4:
            third.set()
        return list(chunk)

    chunks = [range(start, start + 4) for start in range(0, 12, 4)]
    assert in_chunks(chunks, run, lambda chunk, result: taken.extend(result), threads=3)
    assert taken == list(range(12))


@pytest.mark.parametrize("chunks", [[[0], [1]], [[0, 1], [2]]])
def test_what_does_not_fit_beside_others_runs_alone(chunks):
    """Each item takes three of four units while it runs."""
    room, both, taken = threading.Lock(), threading.Barrier(2), list[int]()

    def run(chunk):
        if len(chunk) > 1:
            raise MemoryError
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # for another one, if there is one beside it
        if not room.acquire(blocking=False):
            raise MemoryError
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        room.release()
        return list(chunk)

    in_chunks(chunks, run, lambda chunk, result: taken.extend(result), threads=2)
    assert taken == [item for chunk in chunks for item in chunk]


def test_figures_are_the_same_to_the_bit_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(caches, "PART", 1)  # shared runs in four parts
    model, stream = architecture("llama, grouped queries"), prompts(12, 0)
    drawn = [Experiment(DATA, *pair) for pair in Draw(model.geometry, 5).experiments(30)]
    engine = FastEngine(model, memory=100_000, tokens=100)  # a few worlds a stack, several passes for a mean
    asked = [each for each in dict.fromkeys([*sweep(), *drawn]) if engine.covers(each)]
    references = references_over(prompts(30, 1), asked)
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            engine.run_cache.clear()
            found.append(engine.run(DATA, stream, 0, 12, asked, references))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    failed = [e for e, answer in found[0].items() if isinstance(answer, Failure)]
    assert len(failed) < len(asked) / 2
    for other in found[1:]:
        assert all(other[e] == found[0][e] for e in failed)
        assert all(np.array_equal(other[e], found[0][e]) for e in asked if e not in failed)


def test_an_engine_that_runs_out_of_memory_stacks_half_and_goes_on(monkeypatch: pytest.MonkeyPatch):
    model, stream = architecture("gpt2"), prompts(6, 0)
    expected = arrays(FastEngine(model).run(DATA, stream, 0, 6, sweep()))
    leave_room_for_three(monkeypatch)
    engine = FastEngine(model, memory=10**9)
    found = arrays(engine.run(DATA, stream, 0, 6, sweep()))
    assert engine.memory < 10**9
    assert all(np.allclose(found[each], expected[each], rtol=1e-5, atol=1e-6) for each in expected)


def test_what_does_not_fit_alone_is_an_error_and_so_is_any_other():
    def full(chunk):
        raise MemoryError

    def broken(chunk):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(MemoryError):
        in_chunks([[1]], full, lambda chunk, result: None)
    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks([[1, 2]], broken, lambda chunk, result: None)
    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks([[1], [2], [3]], broken, lambda chunk, result: None, threads=2)


def test_worlds_share_a_row_as_long_as_their_edits_are_the_same():
    def edit(layer: int, key: str) -> Edit:
        return Edit(f"blocks.{layer}.attn.hook_z", key, Mask({}, 1, single=False), torch.zeros(()))

    rows = Rows([[edit(0, "a"), edit(1, "b")], [edit(0, "a")], [], [edit(1, "c")]])
    (x,) = rows.split(before_outputs(0), torch.zeros(1, 1, 1))
    assert (rows.member, x.shape[1]) == ([0, 0, 1, 1], 2)
    (x,) = rows.split(before_outputs(1), torch.tensor([[[1.0], [2.0]]]))
    assert rows.member == [0, 1, 2, 3]
    assert x[0, :, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_regions_reach_from_the_first_change_to_the_end():
    mask = torch.tensor([[False, True, False, True, False], [False, False, False, False, True]])
    ends = torch.tensor([3, 4])
    reach = onward(mask, ends)
    assert reach.at[0].tolist() == [1, 2, 3] and reach.real[0].all()
    assert reach.real[1].tolist() == [True, False, False] and reach.at[1, 0] == 4
    assert reach.at.gather(1, reach.asked)[:, 0].tolist() == [3, 4]
    assert only(mask, ends).at[0].tolist() == [1, 3]
