"""A small model of random weights of every family, in a folder as a user's is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from circuitdsl.tasks.words import GIFTS, NAMES, PLACES

# The ids that some families' configurations put beyond so small a vocabulary.
IDS = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
SMALL = {"vocab_size": 1000, "initializer_range": 0.3} | IDS
COMMON = SMALL | {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
GROUPED = COMMON | {"num_key_value_heads": 2}
OLD = SMALL | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
CONFIGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gpt2": ("GPT2Config", OLD),
    "gpt_neox": ("GPTNeoXConfig", COMMON),
    "llama": ("LlamaConfig", GROUPED),
    "mistral": ("MistralConfig", GROUPED),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", GROUPED | {"head_dim": 8}),
    "phi": ("PhiConfig", COMMON),
    "phi3": ("Phi3Config", GROUPED),
    "gemma": ("GemmaConfig", GROUPED | {"head_dim": 8}),
    "bloom": ("BloomConfig", SMALL | {"hidden_size": 32, "n_layer": 2, "n_head": 4, "seq_length": 64}),
    "mpt": ("MptConfig", SMALL | {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64}),
}
"""By family the class of its configuration and the settings of a small one."""


def byte_level() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, of the kind that these families have, trained on the words of the tasks."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=["<pad>", "<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator([f"the {word}" for word in (*NAMES, *PLACES, *GIFTS)] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", pad_token="<pad>")


def save(family: str, folder: Path, tokenizer: PreTrainedTokenizerFast | None = None, **settings: Any) -> None:
    """A model of the family with random weights, far from a uniform distribution, and a tokenizer.

    ``settings`` are those of its configuration that are otherwise.
    """
    kind, usual = CONFIGS[family]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(getattr(transformers, kind)(**{**usual, **settings}))
    for name, weight in model.named_parameters():  # biases and norms start at 0 and 1, which hides mistakes
        if weight.dim() == 1:
            weight.data += 0.2 * torch.randn_like(weight)
        assert weight.isfinite().all(), name
    model.save_pretrained(folder)
    (tokenizer or byte_level()).save_pretrained(folder)
