"""A model's tokenizer without the model: as TransformerLens leaves it when it opens the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from circuitdsl.models.configuration import is_native, read_configuration
from circuitdsl.models.folders import find_folder, has_tokenizer, hub_name
from circuitdsl.models.hub import require_hub, require_revisions
from circuitdsl.models.loading import told
from circuitdsl.models.open import open_model
from circuitdsl.models.opening import Opening
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.vocabulary import word_tokenizer
from circuitdsl.models.quiet import quiet


def tokenizer_of(name: str, revision: str | None = None) -> Any:
    """The tokenizer that ``open_model`` finds for a name or a folder; no weights are read.

    Raises :class:`ModelError`, as ``open_model`` does where there is no such model or its tokenizer cannot be read.
    """
    if revision is not None:
        require_revisions(name)
    if name in PLANTED:
        return word_tokenizer(PLANTED[name]().vocabulary, name)
    folder = find_folder(name, revision)
    if folder is None:
        require_hub(name, revision)
    with quiet(), told(name, folder):
        try:
            return _completed(_loaded(_source(name, folder), revision if folder is None else None))
        except TypeError:  # special tokens as Hugging Face does not take them, for which TransformerLens has a way
            return open_model(name, opening=Opening("cpu", revision)).tokenizer


def _source(name: str, folder: Path | None) -> str:
    """Where the tokenizer lies: with the model, unless TransformerLens's own configuration names another."""
    if folder is None:
        return hub_name(name)
    if has_tokenizer(folder):
        return str(folder)
    config = read_configuration(folder / "config.json")
    return config["tokenizer_name"] if is_native(config) else str(folder)


def _loaded(source: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    settings: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": False}
    try:
        return AutoTokenizer.from_pretrained(source, add_bos_token=True, **settings)
    except ValueError:  # it has no BOS token
        return AutoTokenizer.from_pretrained(source, **settings)


def _completed(tokenizer: Any) -> Any:
    """With the special tokens that TransformerLens adds where a tokenizer has none."""
    tokenizer.eos_token = tokenizer.eos_token or "<|endoftext|>"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.bos_token = tokenizer.bos_token or tokenizer.eos_token
    for kind in ("pad_token", "eos_token", "bos_token"):
        if getattr(tokenizer, f"{kind}_id") is None:
            tokenizer.add_special_tokens({kind: getattr(tokenizer, kind)})
    return tokenizer
