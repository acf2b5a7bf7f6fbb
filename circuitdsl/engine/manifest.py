"""What opening a model gave, kept beside the results store, so that whoever asks for nothing new need not open it.

1. A manifest is written when a model was opened and an engine made of it. It has what keys and reports say of both, the
   text of its tokenizer, and the state of the files that it was opened from.
2. It answers as long as everything is in that very state, and the model is asked for in the same way. One that is
   damaged, of another format, version, folder or device is as good as none.
3. An engine that is ``deferred`` says what the manifest says until it is opened.

A manifest is trusted as the results beside it are: nothing in it is ever evaluated. No torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.components import Geometry
from circuitdsl.home import made_whole
from circuitdsl.language.circuit import Processing
from circuitdsl.models import KnownModel, Opening, State, TokenizerText, device_of, state_of, text_of

if TYPE_CHECKING:
    from circuitdsl.engine.base import Engine

FORMAT = "circuitdsl/manifest/1"
"""Goes into every checksum. Raise the number when a manifest comes to hold something else."""


@dataclass(frozen=True)
class Asked:
    """Which model was asked for, and how it and its engine are opened."""

    name: str
    revision: str | None
    processing: Processing
    dtype: str
    device: str
    engine: str

    @classmethod
    def of(cls, name: str, processing: Processing, opening: Opening, engine: str) -> Asked:
        """What these words ask for on this machine."""
        return cls(name, opening.revision, processing, opening.dtype or "float32", device_of(opening), engine)


@dataclass(frozen=True)
class Facts:
    """What an open model and its engine turned out to be."""

    name: str
    geometry: Geometry
    fingerprint: str
    identity: str
    engine: str
    settings: tuple[str, ...]
    dtype: str
    device: str
    note: str

    @classmethod
    def of(cls, engine: Engine) -> Facts:
        """Those of an engine and its model. It reads all weights, once."""
        model = engine.model
        hashes = model.fingerprint, model.identity
        return cls(
            model.name, model.geometry, *hashes, engine.name, engine.settings, engine.dtype, engine.device, engine.note
        )

    def model(self, tokenizer: Any, processing: Processing, revision: str | None) -> KnownModel:
        """The model that is known by them, with this tokenizer, as it was asked for."""
        hashes = self.fingerprint, self.identity
        return KnownModel(self.name, self.geometry, tokenizer, processing, revision, *hashes)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Facts:
        """Those that ``asdict`` made of some."""
        geometry, settings = Geometry(**written["geometry"]), tuple(written["settings"])
        return cls(**{**written, "geometry": geometry, "settings": settings})


@dataclass(frozen=True)
class Manifest:
    """What is known of a model that was opened as it was asked for."""

    asked: Asked
    facts: Facts
    tokenizer: TokenizerText


@dataclass(frozen=True)
class Manifests:
    """The manifests in a folder: one file for each way in which a model was asked for."""

    folder: Path

    def find(self, asked: Asked, state: State) -> Manifest | None:
        """The manifest that was written in this state, if there is one that is whole."""
        try:
            written = json.loads(self._path(asked).read_text(encoding="utf-8"))
            if written["checksum"] != _checksum(written["content"]):
                return None
            content = written["content"]
            if content["state"] != _plain(state) or content["asked"] != _plain(asked):
                return None
            return Manifest(asked, Facts.read(content["facts"]), TokenizerText(**content["tokenizer"]))
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None

    def keep(self, asked: Asked, state: State, engine: Engine) -> None:
        """Write down what was opened from files in this state; where it cannot be known again or kept, nothing."""
        tokenizer = text_of(engine.model.tokenizer)
        if tokenizer is None or not state.settled or state_of(asked.name, asked.revision) != state:
            return
        facts = Facts.of(engine)
        content = {"state": state, "asked": asked, "facts": facts, "tokenizer": tokenizer}
        plain = {name: _plain(part) for name, part in content.items()}
        text = json.dumps({"checksum": _checksum(plain), "content": plain})
        with suppress(OSError), made_whole(self._path(asked)) as part:
            part.write_text(text, encoding="utf-8")

    def drop(self, asked: Asked) -> None:
        """Remove a manifest that was found to be wrong."""
        with suppress(OSError):
            self._path(asked).unlink(missing_ok=True)

    def _path(self, asked: Asked) -> Path:
        return self.folder / f"{_checksum(_plain(asked))}.json"


def _plain(part: Asked | State | Facts | TokenizerText) -> dict[str, Any]:
    """A part of a manifest as it is when it comes back from a file."""
    return json.loads(json.dumps(asdict(part)))


def _checksum(plain: object) -> str:
    return hashlib.sha256(json.dumps([FORMAT, plain], sort_keys=True).encode()).hexdigest()
