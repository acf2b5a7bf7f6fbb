"""The columns that are timed on a sample and scaled up: the plain engine, and TransformerLens's own helpers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import redirect_stderr
from io import StringIO

import torch
from torch import Tensor

from benchmarks.models import ANSWER, COUNTERFACTUAL, DATA, WRONG
from benchmarks.timing import clock_of
from circuitdsl.components import Geometry
from circuitdsl.engine.plain.cost import PlainCost, passes
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import Experiment, World
from circuitdsl.measures.measurement import Results
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

SAMPLE = 3  # experiments


def sample_of(asked: Sequence[Experiment]) -> list[Experiment]:
    """Some of the experiments, spread over all of them."""
    return list(asked[:: max(1, len(asked) // SAMPLE)][:SAMPLE])


def plain_passes(worlds: Collection[World], geometry: Geometry) -> int:
    """Forward passes over the prompts that the plain engine needs for these worlds, with the caches they share."""
    return sum(passes(world, geometry) for world in worlds) + len(PlainCost().shared(worlds))


def plain_time(model: Model, prompts: Sequence[Prompt], few: int, asked: Sequence[Experiment]) -> tuple[float, Results]:
    """The plain engine's seconds for all of it, from those for a sample on the first ``few`` prompts; its results.

    It is scaled by forward passes over a prompt, which the engine tells of as it runs.
    """
    ran: list[int] = []
    sample = sample_of(asked)
    engine = PlainEngine(model, ran.append)
    references = references_over(prompts, sample)
    clock = clock_of(model)
    if clock.on_gpu:  # what is loaded at the first call is not part of any pass
        engine.run(DATA, prompts, 0, few, sample, references)
        ran.clear()
    seconds, results = clock.timed(lambda: engine.run(DATA, prompts, 0, few, sample, references))
    needed = plain_passes({each.world for each in asked}, model.geometry)
    return seconds / sum(ran) * needed * len(prompts), results


def helper_time(case: str, model: Model, prompts: Sequence[Prompt], count: int) -> float | None:
    """TransformerLens's own helper for ``count`` experiments of a case, from a few; None where it has none.

    For heads at END that is ``generic_activation_patch``, whether the case patches a path or all that follows; for
    edges between heads ``get_act_patch_direct_path``, which patches them at every position.
    """
    tokens, other = (each.to(clock_of(model).device) for each in tokens_of(prompts))
    match case:
        case "a" | "a-total" | "e":
            with torch.inference_mode():
                return _activation_patch(model, tokens, other) * (count + 1)
        case "d":
            quarter = slice(max(1, len(prompts) // 4))  # it makes a pass for each head of the last layer
            with torch.inference_mode():
                each = _direct_path(model, tokens[quarter], other[quarter])
            return each * (count + 2) * len(prompts) / len(tokens[quarter])
        case _:
            return None


def tokens_of(prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """The tokens of prompts and of their counterfactuals, each [prompts, length]."""
    return (
        torch.tensor([prompt.tokens for prompt in prompts]),
        torch.tensor([prompt.counterfactuals[COUNTERFACTUAL] for prompt in prompts]),
    )


def _metric(logits: Tensor) -> Tensor:
    return (logits[:, -1, ANSWER] - logits[:, -1, WRONG]).mean()


def _activation_patch(model: Model, tokens: Tensor, other: Tensor) -> float:
    """Seconds a pass: one for the cache and one for each of three heads at END."""
    import pandas
    from transformer_lens import patching

    layers, last = model.geometry.n_layers, tokens.shape[1] - 1
    heads = [(0, 0), (layers // 2, 1), (layers - 1, 0)]
    rows = pandas.DataFrame([(layer, last, head) for layer, head in heads], columns=["layer", "pos", "head_index"])

    def patch() -> None:
        _, cache = model.bridge.run_with_cache(other, names_filter=lambda name: name.endswith("hook_z"))
        patching.generic_activation_patch(
            model.bridge,
            tokens,
            cache,
            _metric,
            patching.layer_pos_head_vector_patch_setter,
            "z",
            index_df=rows,
        )

    with redirect_stderr(StringIO()):  # its progress bar cannot be turned off
        seconds, _ = clock_of(model).warmed(patch)
    return seconds / (len(rows) + 1)


def _direct_path(model: Model, tokens: Tensor, other: Tensor) -> float:
    """Seconds a pass: two for the caches and one for each head of the last layer."""
    from transformer_lens import patching

    def patch() -> None:
        def cached(some: Tensor):
            return model.bridge.run_with_cache(some, names_filter=lambda name: name.endswith("hook_z"))[1]

        patching.get_act_patch_direct_path(
            model.bridge, other, cached(tokens), cached(other), _metric, model.geometry.n_layers - 2, 0, verbose=False
        )

    seconds, _ = clock_of(model).warmed(patch)
    return seconds / (model.geometry.n_heads + 2)
