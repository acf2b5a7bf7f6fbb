"""A model's tokenizer without the model: as TransformerLens leaves it when it opens the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.models.checking import checked
from circuitdsl.models.configuration import is_native, read_configuration
from circuitdsl.models.folders import find_folder, has_tokenizer, hub_name
from circuitdsl.models.hub import require_hub, require_revisions
from circuitdsl.models.kept_tokenizer import SPECIAL, KeptTokenizer, TokenizerText
from circuitdsl.models.loading import told
from circuitdsl.models.open import open_model
from circuitdsl.models.opening import Opening
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.vocabulary import SPECIAL_TOKENS, word_level, word_tokenizer
from circuitdsl.models.quiet import quiet

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILE = "tokenizer.json"


@checked
def tokenizer_of(name: str | Path, revision: str | None = None) -> Any:
    """The tokenizer that ``open_model`` finds for a name or a folder; no weights are read.

    Raises :class:`ModelError`, as ``open_model`` does where there is no such model or its tokenizer cannot be read.
    """
    name = str(name)
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


@checked
def light_tokenizer(name: str | Path, revision: str | None = None) -> Any:
    """The same without transformers, which loads torch: that of a planted model, and where a ``tokenizer.json`` lies on
    this machine. Of other models it is :func:`tokenizer_of` that gives it, and raises."""
    name = str(name)
    try:
        kept = _kept(name, revision)
    except Exception:  # of a file that is damaged, of whatever kind: who knows all kinds says what is wrong
        kept = None
    own = partial(tokenizer_of, name, revision)
    return own() if kept is None else KeptTokenizer(kept, own)


def _kept(name: str, revision: str | None) -> TokenizerText | None:
    """A model's tokenizer as text, None where that is not all there is to it."""
    from tokenizers import Tokenizer

    if name in PLANTED and revision is None:
        backend, special = word_level(PLANTED[name]().vocabulary), SPECIAL_TOKENS
        text = backend.to_str()
    else:
        folder = find_folder(name, revision)
        if folder is None or not (folder / _FILE).is_file():
            return None
        text = (folder / _FILE).read_text(encoding="utf-8")
        written = _written(folder)
        backend, special = Tokenizer.from_str(text), _special(written)
        if _is_more(folder, written, backend):
            return None
    ids = {kind: backend.token_to_id(token) for kind, token in special.items()}
    known = dict.fromkeys(id for id in ids.values() if id is not None)
    found = {**special, **{f"{kind}_id": id for kind, id in ids.items()}, "all_special_ids": list(known)}
    return TokenizerText(text, {each: found.get(each) for each in SPECIAL})


_KINDS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def _written(folder: Path) -> Mapping[str, Any]:
    path = folder / "tokenizer_config.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _is_more(folder: Path, written: Mapping[str, Any], backend: Tokenizer) -> bool:
    """Whether a folder may have tokens that ``tokenizer.json`` has not, special ones of other than the usual kinds (as
    tokenizers of chats have), or other ways to read and write: all that is left to transformers."""
    others = (each for each in written if each.endswith(("_token", "_tokens")) and each not in (*_KINDS, *_SETTINGS))
    added = {str(id) for id in backend.get_added_tokens_decoder()}
    return bool(
        any(written[each] for each in others)
        or written.get("clean_up_tokenization_spaces")
        or any((folder / each).is_file() for each in ("special_tokens_map.json", "added_tokens.json"))
        or not added.issuperset(written.get("added_tokens_decoder", ()))
    )


_SETTINGS = ("add_bos_token", "add_eos_token")  # which are no tokens


def _special(written: Mapping[str, Any]) -> Mapping[str, str]:
    """The special tokens that a tokenizer's configuration names, as TransformerLens completes them."""

    def token(kind: str) -> str | None:
        given = written.get(kind)
        return given.get("content") if isinstance(given, dict) else given

    named = {kind: each for kind in _KINDS if (each := token(kind)) is not None}
    end = named.get("eos_token", "<|endoftext|>")
    return {"bos_token": end, "pad_token": end, "eos_token": end} | named


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
