"""A reading is the same to the bit whatever is run beside it: experiments, prompts, and as much as memory allows."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from random_models import DATA, Draw, architecture, prompts

from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.fast.products import linear, one_by_one, product, summed_up
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import References, references_over
from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Array, Failure

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="promised where it was tried (docs/robustness.md)"
)
PROMPTS = 9


def told(answers: dict[Experiment, Array | Failure], first: int, last: int) -> dict[Experiment, bytes]:
    """The readings of some of the prompts, to the last bit. A failure may be one of other prompts."""
    return {e: answer[first:last].tobytes() for e, answer in answers.items() if not isinstance(answer, Failure)}


def agree(ours: dict[Experiment, bytes], whole: dict[Experiment, bytes]) -> None:
    both = ours.keys() & whole.keys()
    assert both or not ours or not whole
    assert {e: ours[e] for e in both} == {e: whole[e] for e in both}


def draw(name: str, seed: int) -> tuple[list[Experiment], References]:
    some = [Experiment(DATA, *pair) for pair in Draw(architecture(name).geometry, seed).experiments(30)]
    experiments = list(dict.fromkeys(some))
    return experiments, references_over(prompts(30, 1), experiments)


@pytest.mark.parametrize(
    ("name", "seed"),
    [("gpt2", 1), ("llama, grouped queries", 2), ("bloom, ALiBi", 3), ("neox, parallel, partial rotary", 4)],
)
def test_a_reading_does_not_depend_on_what_is_run_beside_it(name: str, seed: int):
    model, rng = architecture(name), random.Random(seed)
    experiments, references = draw(name, seed)
    asked = prompts(PROMPTS, seed, rng.choice((("END",), ("END", "A"))))
    answers = FastEngine(model).run(DATA, asked, 0, PROMPTS, experiments, references)
    whole = told(answers, 0, PROMPTS)
    small = FastEngine(model, memory=rng.choice((1, 10_000, 30_000)))
    agree(told(small.run(DATA, asked, 0, PROMPTS, experiments, references), 0, PROMPTS), whole)
    batches = FastEngine(model, tokens=rng.choice((1, 20, 40)))
    agree(told(batches.run(DATA, asked, 0, PROMPTS, experiments, references), 0, PROMPTS), whole)
    few = rng.sample(experiments, min(6, len(experiments)))
    first, last = sorted(rng.sample(range(PROMPTS + 1), 2))
    alone = FastEngine(model).run(DATA, asked, first, last, few, references)
    agree(told(alone, 0, last - first), told(answers, first, last))


@pytest.mark.parametrize("kind", [FastEngine, PlainEngine])
def test_readings_are_the_same_on_one_thread_and_on_two(kind: type[FastEngine] | type[PlainEngine]):
    experiments, references = draw("gpt2", 1)
    asked = prompts(PROMPTS, 1)
    found: list[dict[Experiment, bytes]] = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            engine = kind(architecture("gpt2"))
            found.append(told(engine.run(DATA, asked, 0, PROMPTS, experiments, references), 0, PROMPTS))
        finally:
            torch.set_num_threads(1)
    assert found[0] == found[1] and found[0]


# --- the rule itself, at the widths of models ----------------------------------------------------------

WIDTHS = [(128, 1), (128, 512), (512, 128), (576, 1536), (768, 768), (3072, 768)]
ROWS = (1, 2, 3, 4, 5, 7, 16, 33, 100)


def random_numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("d_in, d_out", WIDTHS)
def test_a_row_of_a_linear_map_is_the_same_among_any_others(d_in: int, d_out: int, bias: bool):
    x, weight = random_numbers(max(ROWS), d_in), random_numbers(d_out, d_in)
    whole = linear(x, weight, random_numbers(d_out) if bias else None)
    for rows in ROWS:
        some = linear(x[:rows], weight, random_numbers(d_out) if bias else None)
        assert torch.equal(some, whole[:rows])
        spread = linear(x[:rows].expand(3, -1, -1).transpose(0, 1), weight, random_numbers(d_out) if bias else None)
        assert torch.equal(spread[:, 1], whole[:rows])


@pytest.mark.parametrize("places", [(0,), (3, 0), (5,), ()], ids=str)
def test_a_linear_map_of_any_shape_is_that_of_torch(places: tuple[int, ...]):
    weight, bias = torch.randn(7, 5), torch.randn(7)
    x = torch.randn(*places, 5)
    torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias))


@pytest.mark.parametrize("d_head", [8, 16, 64, 80, 128])
@pytest.mark.parametrize("keys", [1, 2, 5, 16, 20, 150])
def test_what_a_query_reads_is_the_same_beside_any_others_and_however_many_masked_keys_follow(d_head: int, keys: int):
    q, k, v = random_numbers(4, 40, d_head), random_numbers(4, keys, d_head), random_numbers(4, keys, d_head)

    def read(heads: int, queries: int, further: int, before: int) -> tuple[torch.Tensor, ...]:
        count = max(16, keys + further)
        wide = [F.pad(x[:heads], (0, 0, 0, count - keys)) for x in (k, v)]
        wide[0][:, keys:] = 1.0
        seen = torch.arange(count) < keys
        scores = product(q[:heads, :queries], wide[0].transpose(1, 2)).masked_fill(~seen, -torch.inf)
        pattern = F.pad(scores, (before, 0), value=-torch.inf).softmax(-1)[..., before:]
        return pattern[..., :keys], summed_up(pattern[..., : keys + further], wide[1][:, : keys + further])

    pattern, z = read(4, 40, 0, 0)
    for heads, queries, further, before in [
        (1, 1, 0, 0),
        (4, 1, 3, 16),
        (1, 3, 17, 32),
        (2, 4, 60, 0),
        (4, 5, 200, 48),
    ]:
        ours = read(heads, queries, further, before)
        assert torch.equal(ours[0], pattern[:heads, :queries])
        assert torch.equal(ours[1], z[:heads, :queries])


@pytest.mark.parametrize("width", [20, 100, 128])
def test_a_function_of_each_number_is_the_same_among_any_others(width: int):
    x = random_numbers(60, width)
    for function in (F.silu, F.gelu, lambda x: F.gelu(x, approximate="tanh")):
        whole = one_by_one(function, x)
        assert all(torch.equal(one_by_one(function, x[:rows]), whole[:rows]) for rows in ROWS if rows < 60)
