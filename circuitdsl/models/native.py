"""TransformerLens's own models from a folder: attention-only ones, toy models, what HookedTransformer trained.

The folder holds ``config.json`` (settings are ``configuration.NATIVE_SETTINGS``), weights in one ``*.safetensors`` or
``*.pth`` by HookedTransformer's names (``blocks.0.attn.W_Q``) or the bridge's (``blocks.0.attn.q.weight``), and a
tokenizer, unless the configuration's ``tokenizer_name`` is one that was downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.models.agreement import require_numbers
from circuitdsl.models.configuration import NATIVE_SETTINGS, native_shape
from circuitdsl.models.folders import has_tokenizer
from circuitdsl.models.model import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformer_lens.model_bridge import TransformerBridge


def load_native(
    name: str, folder: Path, config: Mapping[str, Any], dtype: torch.dtype, device: str
) -> TransformerBridge:
    """The model in a folder, all of whose weights are those of its files. Raises :class:`ModelError` and others."""
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources.native import boot
    from transformers import AutoTokenizer

    native_shape(name, config, str(folder / "config.json"))  # refuses what is not computed
    settings = {key: config[key] for key in NATIVE_SETTINGS if config.get(key) is not None}
    settings["normalization_type"] = config.get("normalization_type", config.get("normalization"))
    made = TransformerBridgeConfig(**settings, architecture="TransformerLensNative", model_name=name, seed=0)
    tokenizer = AutoTokenizer.from_pretrained(
        folder if has_tokenizer(folder) else config["tokenizer_name"], trust_remote_code=False
    )
    bridge = boot(made, tokenizer=tokenizer, device=device, dtype=dtype)
    _fill(name, bridge, _weights(folder))
    require_numbers(name, bridge)
    return bridge


def _weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of the folder's one file of weights. A pickle is read for tensors and nothing else."""
    import torch
    from safetensors.torch import load_file

    files = sorted(path for ending in ("*.safetensors", "*.pth", "*.pt") for path in folder.glob(ending))
    if len(files) != 1:
        raise ModelError(
            f"{folder} holds {len(files)} files of weights, and one is needed",
            "keep one *.safetensors or *.pth there, with the state dict of the model",
        )
    if files[0].suffix == ".safetensors":
        return load_file(files[0])
    return torch.load(files[0], map_location="cpu", weights_only=True)


def _fill(name: str, bridge: TransformerBridge, weights: Mapping[str, Tensor]) -> None:
    """Put the weights in, each in its place. Raises :class:`ModelError` where one is missing or left over."""
    from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

    given = dict(weights)
    if "embed.W_E" in given:
        given = convert_tl_checkpoint(given, bridge.cfg)
    wanted = bridge.state_dict()
    if "unembed.bias" not in given and "unembed.bias" in wanted:
        given["unembed.bias"] = wanted["unembed.bias"].new_zeros(wanted["unembed.bias"].shape)  # none is none
    missing, surplus = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or surplus:
        raise ModelError(
            f"the weights of {name} are not those that its config.json describes: missing are "
            f"{', '.join(missing[:3]) or 'none'}; of no part of the model are {', '.join(surplus[:3]) or 'none'}",
            "save the state dict of the very model, with or without biases as its configuration has them",
        )
    bridge.load_state_dict(given, strict=True)
