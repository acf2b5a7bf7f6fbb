"""Models in Hugging Face's format: loaded whole or refused, and compared with Hugging Face's own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.components import Geometry
from circuitdsl.errors import InputError, interrupted, listed
from circuitdsl.language.environment import UnknownName
from circuitdsl.models.agreement import logits_of, probe, require_agreement, require_numbers
from circuitdsl.models.configuration import is_native, read_configuration
from circuitdsl.models.families import families
from circuitdsl.models.folders import find_folder, hub_name
from circuitdsl.models.geometry import shape_of
from circuitdsl.models.hub import first_line, remedy, require_hub
from circuitdsl.models.model import ModelError
from circuitdsl.models.native import load_native

if TYPE_CHECKING:
    import torch
    from transformer_lens.model_bridge import TransformerBridge


def load(name: str, revision: str | None, dtype: torch.dtype, device: str) -> TransformerBridge:
    """A model that ships, of a folder, downloaded, or from the hub.

    Its code is that of the installed libraries: none that comes with a model is ever run. Raises :class:`ModelError`.
    """
    folder = find_folder(name, revision)
    if folder is None:
        require_hub(name, revision)
    with told(name, folder):
        if folder is None:
            return _load(name, hub_name(name), revision, dtype, device)
        config = read_configuration(folder / "config.json")
        if is_native(config):
            return load_native(name, folder, config, dtype, device)
        require_measured(name, config)
        _require_size(shape_of(name, config, str(folder / "config.json")), folder)
        return _load(name, str(folder), None, dtype, device)


def _load(name: str, source: str, revision: str | None, dtype: torch.dtype, device: str) -> TransformerBridge:
    """The bridge around a model whose weights are all there, and which computes what the model by itself did."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoConfig, AutoModelForCausalLM

    upstream = revision or "main"
    config = AutoConfig.from_pretrained(source, revision=upstream, trust_remote_code=False)
    require_measured(name, config.to_dict())
    tokens = probe(shape_of(name, config.to_dict(), source), config.to_dict()).to(device)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        source,
        config=config,
        revision=upstream,
        dtype=dtype,
        attn_implementation="eager",  # the one whose patterns can be seen
        ignore_mismatched_sizes=True,  # they are told as what is missing is, and refused
        output_loading_info=True,
        trust_remote_code=False,
    )
    model, found = loaded
    _require_whole(name, found)
    require_numbers(name, model)
    model = model.to(device).eval()
    expected = logits_of(model, tokens)
    bridge = TransformerBridge.boot_transformers(
        source, dtype=dtype, device=device, revision=revision, hf_model=model, trust_remote_code=False
    )
    require_agreement(name, expected, logits_of(bridge, tokens), dtype)
    return bridge


# --- what is refused -------------------------------------------------------------------------------


@contextmanager
def told(name: str, folder: Path | None) -> Iterator[None]:
    """Whatever loaders raise, as a :class:`ModelError`: they raise anything for a file that is not as it should be."""
    try:
        yield
    except UnknownName as error:
        raise ModelError(error.message, error.remedy) from error
    except InputError:
        raise
    except Exception as error:
        if interrupted(error):
            raise KeyboardInterrupt from error
        where = f"from {folder}" if folder else "from the Hugging Face hub"
        for sign, problem, help_text in _KNOWN:
            if sign in f"{type(error).__name__}: {error}":
                raise ModelError(f"the model {name} could not be opened {where}: {problem}", help_text) from error
        kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
        raise ModelError(
            f"the model {name} could not be opened {where}: {kind}{first_line(error)}", remedy(name, folder)
        ) from error


# What some errors of loaders mean. Their own texts advise what is not to be done, or name no file.
_KNOWN = (
    (
        "custom code",
        "it needs code of its own, which circuitdsl never runs",
        "give a model that the installed transformers knows by its model_type (docs/models.md)",
    ),
    (
        "Unpickl",
        "its weights are a pickle that holds more than tensors, and none of it was run",
        "ask for the weights as safetensors, or convert them where you trust them",
    ),
    (
        "weights_only",
        "its weights are a pickle that holds more than tensors, and none of it was run",
        "ask for the weights as safetensors, or convert them where you trust them",
    ),
    (
        "SafetensorError",
        "its weights file is damaged: it is empty, cut short, or no safetensors file",
        "copy or download the file again",
    ),
)


def require_measured(name: str, config: Mapping[str, Any]) -> None:
    """Refuse a family that was not tried, and weights that are not plain numbers."""
    if (model_type := config.get("model_type")) not in families():
        raise ModelError(
            f"the model {name} is of the family {model_type}, on which circuitdsl has not been tried",
            f"the families that it measures: {', '.join(families())} (docs/models.md)",
        )
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method", "a method of its own") if isinstance(quantised, Mapping) else quantised
        raise ModelError(
            f"the weights of {name} are quantised ({method}), and circuitdsl measures plain ones",
            "give the model before it was quantised, or convert its weights to float32 or bfloat16",
        )


def _require_size(shape: Geometry, folder: Path) -> None:
    """Refuse a configuration of more weights than its folder can hold, before anybody makes room for them."""
    files = [path for ending in ("*.safetensors", "*.bin", "*.pt", "*.pth") for path in folder.glob(ending)]
    there = sum(path.stat().st_size for path in files)
    a_layer = 2 * shape.d_model * shape.n_heads * shape.d_head  # of W_Q and W_O alone
    described = shape.n_layers * a_layer + shape.d_vocab * shape.d_model
    if files and described > there:
        raise ModelError(
            f"{folder}/config.json describes at least {described:,} weights, and its files hold {there:,} bytes",
            "a file is cut short, or the configuration or the weights are those of another model",
        )


# Tables that old checkpoints carry and that models make for themselves: they hold nothing that was learnt.
_TABLES = (".attn.bias", ".attention.bias", ".masked_bias", ".rotary_emb.inv_freq", ".position_ids")


def _require_whole(name: str, found: Mapping[str, Any]) -> None:
    """Refuse a model some of whose weights would be random numbers, and weights that no part of the model takes."""
    missing = sorted(found["missing_keys"])
    surplus = sorted(key for key in found["unexpected_keys"] if not key.endswith(_TABLES))
    shapes = [f"{key} is {list(has)} and should be {list(wants)}" for key, has, wants in found["mismatched_keys"]]
    problems = [
        *([f"{len(missing)} that the model has are not in its files ({listed(missing, 3)})"] if missing else []),
        *([f"{len(shapes)} have another shape ({listed(sorted(shapes), 3)})"] if shapes else []),
        *([f"{len(surplus)} in its files belong to no part of the model ({listed(surplus, 3)})"] if surplus else []),
        *found.get("error_msgs", ()),
    ]
    if problems:
        raise ModelError(
            f"the weights of {name} are not those that its config.json describes: {'; '.join(problems)}",
            "save the model again with save_pretrained, and not what torch.compile or a wrapper made of it; what is "
            "missing would be random",
        )
