"""Every family of models under variants of its configuration: computed as Hugging Face computes it, or refused."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.robustness.results import Result
from benchmarks.robustness.small_models import byte_level, save
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import engine_for
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.errors import InputError
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Ablated, Clean, Data, Experiment, Metric, Patched, World, Zero
from circuitdsl.measures.measurement import Failure
from circuitdsl.models import Model, open_model
from circuitdsl.models.quiet import quiet
from circuitdsl.tasks import Prompt, open_task

TOLERANCE = 1e-3  # of logits, or of their standard deviations where these are above 1
LENGTHS = (3, 24, 60)

Settings = Mapping[str, Any]


def _rope(kind: str, **more: Any) -> Settings:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 1e4} | more}


ROPE: tuple[Settings, ...] = (
    _rope("default", rope_theta=100.0),
    _rope("linear", factor=4.0),
    _rope("dynamic", factor=2.0),
    _rope("llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    _rope("yarn", factor=4.0, original_max_position_embeddings=16),
    _rope(
        "longrope",
        short_factor=[1.0, 2.0, 3.0, 4.0],
        long_factor=[2.0, 4.0, 6.0, 8.0],
        factor=2.0,
        original_max_position_embeddings=32,
    ),
)
PARTIAL: tuple[Settings, ...] = tuple(_rope("default", partial_rotary_factor=share) for share in (0.25, 0.5, 1.0))


def _each(setting: str, *values: Any) -> tuple[Settings, ...]:
    return tuple({setting: value} for value in values)


ACTIVATIONS = ("relu", "gelu", "gelu_new", "silu", "tanh", "quick_gelu", "relu2")
ACTED = _each("hidden_act", *ACTIVATIONS)
TIED = _each("tie_word_embeddings", True, False)
SHAPED: tuple[Settings, ...] = ({"num_hidden_layers": 1}, {"num_attention_heads": 1, "num_key_value_heads": 1})
GROUPED = _each("num_key_value_heads", 1, 4)
NORMED = _each("rms_norm_eps", 0.1)
WINDOWED = _each("sliding_window", 4, None)
SOMETIMES_WINDOWED: tuple[Settings, ...] = (
    {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    {"use_sliding_window": True, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    {"use_sliding_window": False, "sliding_window": 4},
)
LLAMA = (*ROPE, *ACTED, *TIED, *SHAPED, *GROUPED, *NORMED)
VARIANTS: Mapping[str, tuple[Settings, ...]] = {
    "gpt2": (
        *_each("activation_function", *ACTIVATIONS),
        *TIED,
        *_each("scale_attn_weights", False),
        *_each("scale_attn_by_inverse_layer_idx", True),
        *_each("reorder_and_upcast_attn", True),
        *_each("layer_norm_epsilon", 0.1),
        *_each("n_inner", 20, 96),
        *_each("n_layer", 1),
        *_each("n_head", 1, 8),
        *_each("n_positions", 40),
        *_each("add_cross_attention", True),
        *_each("attn_pdrop", 0.9),
        *_each("dtype", "float16"),
    ),
    "gpt_neox": (
        *ROPE,
        *PARTIAL,
        *_each("rotary_pct", 1.0),
        *ACTED,
        *TIED,
        *_each("use_parallel_residual", False),
        *_each("attention_bias", False),
        *_each("layer_norm_eps", 0.1),
        *_each("is_decoder", True),
    ),
    "llama": (*LLAMA, *_each("attention_bias", True), *_each("mlp_bias", True), *_each("head_dim", 4, 12)),
    "mistral": (*LLAMA, *WINDOWED, *_each("head_dim", 4, 12)),
    "qwen2": (*LLAMA, *SOMETIMES_WINDOWED),
    "qwen3": (*LLAMA, *SOMETIMES_WINDOWED, *_each("attention_bias", True), *_each("head_dim", 12)),
    "phi": (*ROPE, *PARTIAL, *ACTED, *TIED, *GROUPED, *_each("qk_layernorm", True), *_each("layer_norm_eps", 0.1)),
    "phi3": (*LLAMA, *WINDOWED, *PARTIAL),
    "gemma": (
        *ROPE,
        *ACTED,
        *TIED,
        *GROUPED,
        *NORMED,
        *_each("attention_bias", True),
        *_each("head_dim", 4, 12),
        *_each("use_bidirectional_attention", True),
        *_each("hidden_activation", "relu"),
    ),
    "bloom": (
        *TIED,
        *_each("apply_residual_connection_post_layernorm", True),
        {"pretraining_tp": 2, "slow_but_exact": True},
        *_each("layer_norm_epsilon", 0.1),
        *_each("n_layer", 1),
        *_each("n_head", 1, 8),
        {"n_head": 3, "hidden_size": 24},  # the slopes of ALiBi are others where heads are no power of two
        {"n_head": 6, "hidden_size": 36},
        *_each("hidden_dropout", 0.9),
        *_each("attention_dropout", 0.9),
        *_each("dtype", "float16"),
    ),
    "mpt": (
        *TIED,
        *(
            {"attn_config": each}
            for each in (
                *_each("clip_qkv", 0.5),
                *_each("softmax_scale", 0.3),
                *_each("qk_ln", True),
                *_each("alibi", False),
                *_each("alibi_bias_max", 4),
                *_each("attn_type", "multiquery_attention"),
                *_each("prefix_lm", True),
                *_each("attn_uses_sequence_id", True),
            )
        ),
        *_each("logit_scale", 0.5, "inv_sqrt_d_model"),
        *_each("no_bias", False),
        *_each("expansion_ratio", 2),
        *_each("learned_pos_emb", False),
        *_each("layer_norm_epsilon", 0.1),
        *_each("norm_type", "rmsnorm"),
        *_each("embedding_fraction", 0.5),
        {"n_heads": 3, "d_model": 24},
        {"n_heads": 6, "d_model": 36},
        *_each("n_layers", 1),
    ),
}
"""By family settings that are otherwise than in its small model."""


def variants(count: int, seed: int, folder: Path) -> Result:
    """So many variants of every family, each made with weights of its own, and put into the config.json of another."""
    result = Result(
        "variants of every family",
        f"Small random models of all {len(VARIANTS)} families, each with settings of its configuration changed: once a "
        "model is made so, and once config.json is changed under the weights of the usual one. It is refused with a "
        "remedy, or its logits are Hugging Face's own to 1e-3 on prompts of 3, 24 and 60 tokens, the metric that the "
        "engine reads is what they give, and the engine agrees with the plain one on an ablation and a patched path.",
    )
    rng, tokenizer = random.Random(seed), byte_level()
    prompts = open_task(IOI.task).draw(tokenizer, 6, IOI.seed, IOI.bos).prompts
    for family in VARIANTS:
        usual, place = folder / f"{family} usual", folder / f"{family} otherwise"
        with quiet():
            save(family, usual, tokenizer)
        refused: list[str] = []
        for settings in chosen(VARIANTS[family], count, rng):
            ways = {"own weights": made_with(family, place, tokenizer, settings), "the usual weights": True}
            for weights, made in ways.items():
                if weights == "the usual weights":
                    changed(usual, place, settings)
                end, problem = tried(place, prompts) if made else ("Hugging Face does not make it", "")
                result.ended(f"{weights}: {end}")
                if problem:
                    result.faults.append(f"{family} {dict(settings)}, {weights}: {problem}")
                elif (weights, end) == ("own weights", "refused"):
                    refused.append(json.dumps(settings))
                shutil.rmtree(place, ignore_errors=True)
        if refused:
            result.notes.append(f"refused with weights of its own, {family}: `{'`, `'.join(refused)}`")
    return result


def chosen(some: tuple[Settings, ...], count: int, rng: random.Random) -> Iterator[Settings]:
    """As many settings: the first of a family's, and where these are fewer two of them together."""
    for number in range(count):
        if number < len(some):
            yield some[number]
        else:
            one, other = rng.sample(some, 2)
            yield {**one, **other}


def made_with(family: str, place: Path, tokenizer: PreTrainedTokenizerFast, settings: Settings) -> bool:
    """Whether Hugging Face makes a model with such settings."""
    try:
        with quiet():
            save(family, place, tokenizer, **settings)
    except Exception:  # as it says of what it does not allow
        return False
    return True


def changed(usual: Path, place: Path, settings: Settings) -> None:
    """Make the folder of another model with settings changed in its config.json."""
    shutil.copytree(usual, place)
    path = place / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | settings), encoding="utf-8")


def tried(place: Path, prompts: tuple[Prompt, ...]) -> tuple[str, str]:
    """How a folder is opened and measured, and what is wrong with that."""
    try:
        model = open_model(place)
    except InputError as error:
        return "refused", "" if error.remedy else f"no remedy for {error.message}"
    except Exception as error:  # what the campaign looks for
        return "otherwise", f"{type(error).__name__}: {error!s:.200}"
    with quiet():
        reference = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, attn_implementation="eager").eval()
    measured = tuple(prompt for prompt in prompts if len(prompt.tokens) <= model.geometry.n_ctx)
    problems = [*_logits(model, reference), *(_figures(model, reference, measured) if measured else ())]
    return f"equal, with the {engine_for(model).name} engine", "; ".join(problems)


def _logits(model: Model, reference: Any) -> Iterator[str]:
    generator = torch.Generator().manual_seed(1)
    for length in LENGTHS:
        tokens = torch.randint(0, model.geometry.d_vocab, (1, min(length, model.geometry.n_ctx)), generator=generator)
        with torch.no_grad():
            expected, found = reference(tokens).logits, model.bridge(tokens)
        off = (found - expected).abs().max().item() / max(1.0, expected.std().item())
        if not off <= TOLERANCE:
            yield f"logits differ by {off:.2g} on {tokens.shape[1]} tokens"


IOI = Data(TaskRef("ioi"), seed=5, bos=False)
END, S2 = Position("END"), Position("S2")
CHANGED: tuple[World, ...] = (
    Ablated(frozenset({Node(Head(0, 0), S2)}), Zero()),
    Patched(frozenset({Node(Head(0, 0), S2)}), frozenset(), "abc", strict=False),
)


def _figures(model: Model, reference: Any, prompts: tuple[Prompt, ...]) -> Iterator[str]:
    """On prompts of several lengths in one batch, which Hugging Face's code is given one by one."""
    experiments = [Experiment(IOI, world, Metric("logit_diff")) for world in (Clean(), *CHANGED)]
    found, plain = (
        each.run(IOI, prompts, 0, len(prompts), experiments) for each in (engine_for(model), PlainEngine(model))
    )
    with torch.no_grad():
        logits = [reference(torch.tensor([prompt.tokens])).logits[0, -1] for prompt in prompts]
    clean = [row[each.answer] - row[list(each.wrong)].mean() for row, each in zip(logits, prompts, strict=True)]
    scale = TOLERANCE * max(1.0, float(torch.stack(logits).std()))
    for experiment in experiments:
        one, other = found[experiment], plain[experiment]
        if isinstance(one, Failure) or isinstance(other, Failure):
            if type(one) is not type(other):
                yield f"{experiment.world}: {one} and, with the plain engine, {other}"
        elif not np.allclose(one, other, rtol=0, atol=scale):
            yield f"{experiment.world}: engines differ by {np.abs(one - other).max():.2g}"
    if not np.allclose(np.array(found[experiments[0]], dtype=float), np.array(clean, dtype=float), rtol=0, atol=scale):
        yield f"the metric is {found[experiments[0]]} and should be {clean}"
