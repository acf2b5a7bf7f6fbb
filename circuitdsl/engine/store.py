"""The results store: readings of prompts kept between calls, under a hash of all that they depend on.

One SQLite file in write-ahead mode: a kill at any moment and two processes at once leave it whole. Values are raw
float64 bytes; nothing in it is ever evaluated.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np

from circuitdsl.errors import InputError
from circuitdsl.measures.measurement import Array
from circuitdsl.models.folders import own_cache

FORMAT = "circuitdsl/results/2"
"""Goes into every key. Raise the number when a reading or a world comes to mean something else."""

WAIT = 60.0  # seconds to wait for another process that is writing
FILE = "results.sqlite"


def default_folder() -> Path:
    """Where results are kept: $CIRCUITDSL_CACHE, or circuitdsl in the user's cache folder."""
    return own_cache()


def key_of(*parts: object) -> str:
    """A hash of dataclasses, sets, mappings, sequences and plain values that does not depend on the order of sets."""
    return hashlib.sha256(canonical((FORMAT, *parts)).encode()).hexdigest()


def canonical(value: object) -> str:
    """A text that is equal for equal values and, types and field names included, different for different ones."""
    if is_dataclass(value) and not isinstance(value, type):
        inside = ",".join(f"{f.name}={canonical(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({inside})"
    if isinstance(value, frozenset | set):
        return "{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    return f"{type(value).__name__}:{value!r}"


@dataclass(frozen=True)
class Store:
    """Readings by key in one file. Raises InputError where the file cannot be made, read or written."""

    path: Path

    @classmethod
    def in_folder(cls, folder: Path | None = None) -> Store:
        """The store of a folder, by itself :func:`default_folder`; it is made if need be."""
        folder = folder or default_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the results folder {folder} cannot be made: {error.strerror}",
                "name another with CIRCUITDSL_CACHE, or run with --no-cache",
            ) from error
        store = cls(folder / FILE)
        with store._open() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS readings (key TEXT PRIMARY KEY, numbers BLOB) WITHOUT ROWID")
        return store

    def get(self, keys: Iterable[str]) -> dict[str, Array]:
        """The readings that are there, by key."""
        found: dict[str, Array] = {}
        with self._open() as connection:
            for key in keys:
                row = connection.execute("SELECT numbers FROM readings WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = np.frombuffer(row[0], dtype="<f8").astype(np.float64)
        return found

    def put(self, readings: Mapping[str, Array]) -> None:
        """Keep readings, all or none of them."""
        rows = [(key, np.asarray(values, dtype="<f8").tobytes()) for key, values in readings.items()]
        with self._open() as connection:
            connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection, one transaction long."""
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT)) as connection, connection:
                connection.execute("PRAGMA journal_mode = WAL")
                yield connection
        except sqlite3.Error as error:
            raise InputError(
                f"the results store {self.path} cannot be used: {error}",
                "delete the file (only the time to run its experiments again is lost), or run with --no-cache",
            ) from error
