"""The results store: readings of prompts kept between calls, under a hash of all that they depend on.

One SQLite file in write-ahead mode: a kill at any moment and two processes at once leave it whole. A row's value is a
checksum of its key and its numbers, then the numbers as raw float64 bytes; nothing in it is ever evaluated. A row that
does not have its checksum is as good as none. A store that cannot be written is read all the same.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path

import numpy as np

from circuitdsl.errors import InputError
from circuitdsl.home import own_cache
from circuitdsl.measures.measurement import Array

FORMAT = "circuitdsl/results/4"
"""Goes into every key. Raise the number when a reading or a world comes to mean something else, or has other last
digits: a report must not depend on what was kept."""

WAIT = 60.0  # seconds to wait for another process that is writing
FILE = "results.sqlite"


def default_folder() -> Path:
    """Where results are kept: $CIRCUITDSL_CACHE, or circuitdsl in the user's cache folder."""
    return own_cache()


def usual_store() -> Store:
    """The store of :func:`default_folder`, which keeps readings where nothing else is said."""
    return Store.in_folder()


def key_of(*parts: object) -> str:
    """A hash of dataclasses, sets, mappings, sequences and plain values that does not depend on the order of sets."""
    return hashlib.sha256(canonical((FORMAT, *parts)).encode()).hexdigest()


def canonical(value: object) -> str:
    """A text that is equal for equal values and, types and field names included, different for different ones.

    Fields of dataclasses that equality leaves out are left out.
    """
    kind = type(value)
    if kind in _PLAIN:
        return f"{kind.__name__}:{value!r}"
    if is_dataclass(kind):
        inside = ",".join([f"{name}={canonical(getattr(value, name))}" for name in _fields(kind)])
        return f"{kind.__name__}({inside})"
    if isinstance(value, frozenset | set):
        return "{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, tuple | list):  # mostly of tokens, which are written here: a call for each takes longer
        inside = [f"{type(v).__name__}:{v!r}" if type(v) in _PLAIN else canonical(v) for v in value]
        return "[" + ",".join(inside) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted([f"{canonical(k)}:{canonical(v)}" for k, v in value.items()])) + "}"
    return f"{kind.__name__}:{value!r}"


_PLAIN = frozenset({bool, bytes, float, int, str, type(None)})


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields; to ask for them anew takes longer than to write them down."""
    return tuple(field.name for field in fields(kind) if field.compare)


class StoreError(InputError):
    """A store that cannot be used, or not now, with what helps."""


@dataclass(frozen=True)
class Found:
    """Readings by key, and how many rows were there but damaged."""

    readings: Mapping[str, Array]
    damaged: int = 0


@dataclass(frozen=True)
class Store:
    """Readings by key in one file. Raises StoreError where the file cannot be made, read or written.

    ``writable`` is false for a file that may only be read: what is to be kept in it is dropped.
    """

    path: Path
    writable: bool = True

    @classmethod
    def in_folder(cls, folder: str | Path | None = None) -> Store:
        """The store of a folder, by itself :func:`default_folder`; it is made if need be, and read where it is there
        and cannot be written. Raises :class:`StoreError` for what cannot be made or is no store."""
        if not isinstance(folder, str | Path | None):
            raise StoreError(f"a {type(folder).__name__} is no folder", 'name one: Store.in_folder("results")')
        folder = Path(folder) if folder else default_folder()
        path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not path.is_file():
                raise StoreError(
                    f"the results folder {folder} cannot be made: {error.strerror}",
                    "name another with CIRCUITDSL_CACHE, or run with --no-cache",
                ) from error
        try:
            with connected(path, writable=True) as connection:
                connection.execute(_TABLE)
        except _CannotWrite as error:
            if not path.is_file():
                raise error.told from error
            with connected(path, writable=False) as connection:
                connection.execute("SELECT key, numbers FROM readings LIMIT 1")
            return cls(path, writable=False)
        return cls(path)

    def get(self, keys: Iterable[str]) -> Found:
        """The readings that are there whole."""
        found: dict[str, Array] = {}
        damaged = 0
        with connected(self.path, self.writable) as connection:
            for key in keys:
                row = connection.execute("SELECT numbers FROM readings WHERE key = ?", (key,)).fetchone()
                if row is None:
                    continue
                reading = _unpacked(key, row[0])
                if reading is None:
                    damaged += 1
                else:
                    found[key] = reading
        return Found(found, damaged)

    def put(self, readings: Mapping[str, Array]) -> None:
        """Keep readings, all or none of them; a store that may only be read keeps none."""
        if not self.writable or not readings:
            return
        rows = [(key, _packed(key, values)) for key, values in readings.items()]
        with connected(self.path, writable=True) as connection:
            connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?)", rows)


_TABLE = "CREATE TABLE IF NOT EXISTS readings (key TEXT PRIMARY KEY, numbers BLOB) WITHOUT ROWID"
_CHECKSUM = 16  # bytes


def _packed(key: str, values: Array) -> bytes:
    numbers = np.asarray(values, dtype="<f8").tobytes()
    return _checksum(key, numbers) + numbers


def _unpacked(key: str, row: object) -> Array | None:
    """A row's numbers; None for a row that is damaged or is not ours."""
    if not isinstance(row, bytes) or len(row) < _CHECKSUM or len(row) % 8:
        return None
    numbers = row[_CHECKSUM:]
    whole = row[:_CHECKSUM] == _checksum(key, numbers)
    return np.frombuffer(numbers, dtype="<f8").astype(np.float64) if whole else None


def _checksum(key: str, numbers: bytes) -> bytes:
    return hashlib.blake2b(numbers, digest_size=_CHECKSUM, key=key.encode()[:64]).digest()


# --- the file ----------------------------------------------------------------------------------------


class _CannotWrite(StoreError):
    """The file cannot be opened for writing; it may still be there to be read."""

    @property
    def told(self) -> StoreError:
        return StoreError(self.message, self.remedy)


@contextmanager
def connected(path: Path, writable: bool) -> Iterator[sqlite3.Connection]:
    """A connection, one transaction long. Raises StoreError with the advice that fits."""
    try:
        with closing(_connect(path, writable)) as connection, connection:
            yield connection
    except sqlite3.Error as error:
        raise _told(path, error) from error


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    if writable:
        connection = sqlite3.connect(path, timeout=WAIT)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection
    uri = path.absolute().as_uri()
    try:
        return _looked_into(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        # In a folder that may not be written SQLite cannot make the files that it shares with writers: there are none.
        return _looked_into(f"{uri}?immutable=1")


def _looked_into(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, timeout=WAIT, uri=True)
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _told(path: Path, error: sqlite3.Error) -> StoreError:
    """What went wrong, in words, with what helps."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what extends it
    elsewhere = "name another folder with CIRCUITDSL_CACHE or --cache-folder, or run with --no-cache"
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"the results store {path} is locked: another process has been writing to it for {WAIT:g} seconds",
                f"wait for that process or end it; or {elsewhere}",
            )
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return StoreError(
                f"the results store {path} cannot grow: {error}", f"make room on its disk; or {elsewhere}"
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _CannotWrite(f"the results store {path} cannot be opened: {error}", elsewhere)
        case _:
            return StoreError(
                f"the results store {path} cannot be used: {error}",
                "delete the file (only the time to run its experiments again is lost), or run with --no-cache",
            )
