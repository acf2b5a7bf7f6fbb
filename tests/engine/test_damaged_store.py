"""A store, and means beside it, that are damaged, locked, full or only to be read: no figure of them is wrong, and each
gets its own advice."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from ioi_data import IOI

from arrays import array
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store, StoreError
from circuitdsl.measures.experiments import Ablated, Clean, Experiment, Metric, Zero

READINGS = {f"key {i}": np.linspace(i, i + 1, 40) for i in range(30)}
EXPERIMENTS = [
    Experiment(IOI, Clean(), Metric("logit_diff")),
    *(
        Experiment(IOI, Ablated(frozenset({Node(Head(2, i), Position("END"))}), Zero()), Metric("logit_diff"))
        for i in range(4)
    ),
]


def filled(folder: Path) -> Store:
    store = Store.in_folder(folder)
    store.put(READINGS)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store


def change(store: Store, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        assert connection.execute(statement, values).rowcount


@pytest.mark.parametrize("wrong", [None, "text", 7, 0.5, b"", b"short", b"x" * 320, b"x" * 336])
def test_a_row_of_another_type_or_without_its_checksum_is_as_good_as_none(tmp_path: Path, wrong: object):
    store = filled(tmp_path)
    change(store, "UPDATE readings SET numbers = ? WHERE key = 'key 3'", wrong)
    found = store.get(READINGS)
    assert found.damaged == 1
    assert set(found.readings) == set(READINGS) - {"key 3"}


def test_numbers_of_another_key_are_damage(tmp_path: Path):
    store = filled(tmp_path)
    change(
        store, "UPDATE readings SET numbers = (SELECT numbers FROM readings WHERE key = 'key 4') WHERE key = 'key 3'"
    )
    assert store.get(["key 3", "key 4"]).damaged == 1


def test_flipped_bits_never_give_another_number(tmp_path: Path):
    """120 copies with a bit flipped anywhere: each is refused with a remedy, or answers what was put or nothing."""
    whole = filled(tmp_path / "whole").path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for number in range(120):
        folder = tmp_path / str(number)
        folder.mkdir()
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        (folder / "results.sqlite").write_bytes(flipped)
        try:
            found = Store.in_folder(folder).get(READINGS)
        except StoreError as error:
            assert error.remedy
            refused += 1
            continue
        for key, values in found.readings.items():
            np.testing.assert_array_equal(values, READINGS[key])
    assert refused < 60


@pytest.mark.parametrize("kept", [0, 1, 100, 4096, 9000])
def test_a_file_that_was_cut_off_is_refused_or_answers_what_was_put(tmp_path: Path, kept: int):
    whole = filled(tmp_path / "whole").path.read_bytes()
    (tmp_path / "results.sqlite").write_bytes(whole[:kept])
    try:
        found = Store.in_folder(tmp_path).get(READINGS)
    except StoreError as error:
        assert "delete the file" in error.remedy
    else:
        assert all((values == READINGS[key]).all() for key, values in found.readings.items())


def test_another_table_of_that_name_is_refused_with_a_remedy(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "results.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE readings (what TEXT)")
    with pytest.raises(StoreError, match="no such column") as error:
        Store.in_folder(tmp_path).get(["key"])
    assert "delete the file" in error.value.remedy


# --- means -----------------------------------------------------------------------------------------------

CPU = torch.device("cpu")
MEANS = {
    group: {f"blocks.{layer}.hook": torch.arange(12.0).reshape(3, 4) * (layer + 0.1) for layer in range(3)}
    for group in ("one 0", "one 1")
}


def test_flipped_bits_never_give_another_mean(tmp_path: Path):
    """150 copies with a bit flipped anywhere, names and shapes included."""
    MeanStore(tmp_path, "a model").put("a key", MEANS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    rng = random.Random(0)
    damaged = 0
    for _ in range(150):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        store = MeanStore(tmp_path, "a model")
        found = store.get("a key", CPU)
        damaged += store.damaged
        assert (found is None) == (store.damaged == 1)
        if found is not None:  # a blank of the header
            assert all(torch.equal(found[group][hook], MEANS[group][hook]) for group in MEANS for hook in MEANS[group])
    assert damaged > 120


def test_means_of_another_name_are_damage(tmp_path: Path):
    store = MeanStore(tmp_path, "a model")
    store.put("a key", MEANS)
    (path,) = tmp_path.iterdir()
    store.put("another", {"one 0": MEANS["one 0"]})
    (other,) = set(tmp_path.iterdir()) - {path}
    other.replace(path)
    again = MeanStore(tmp_path, "a model")
    assert again.get("a key", CPU) is None and again.damaged == 1
    assert again.get("another", CPU) is None and again.damaged == 1  # there is none


# --- what the system does not let us do -----------------------------------------------------------------


def as_nobody(do: Callable[[], None]) -> None:
    """Do something without the rights of root, whom no file is closed to."""
    if os.geteuid():
        do()
        return
    os.seteuid(65534)
    try:
        do()
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that anybody can look into, whoever runs the tests."""
    folder, temporary = (Path(os.path.realpath(each)) for each in (tmp_path, tempfile.gettempdir()))
    for above in (folder, *folder.parents):
        if temporary in above.parents:
            above.chmod(0o755)
    return folder


def test_a_store_that_may_only_be_read_is_read(open_folder: Path):
    path = filled(open_folder).path
    path.chmod(0o444)
    open_folder.chmod(0o555)
    before = sorted(each.name for each in open_folder.iterdir())

    def read() -> None:
        store = Store.in_folder(open_folder)
        assert not store.writable
        found = store.get(READINGS)
        assert set(found.readings) == set(READINGS)
        store.put({"new": np.zeros(3)})
        assert not store.get(["new"]).readings

    as_nobody(read)
    assert sorted(each.name for each in open_folder.iterdir()) == before
    open_folder.chmod(0o755)


def test_where_no_store_can_be_made_the_advice_is_another_folder(open_folder: Path):
    open_folder.chmod(0o555)

    def refused() -> None:
        with pytest.raises(StoreError, match="cannot be opened") as error:
            Store.in_folder(open_folder)
        assert "name another folder" in error.value.remedy and "delete" not in error.value.remedy

    as_nobody(refused)
    open_folder.chmod(0o755)


def test_a_folder_in_the_files_place_is_told(tmp_path: Path):
    (tmp_path / "results.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.in_folder(tmp_path)


def test_a_store_that_is_locked_is_waited_for_and_not_to_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = filled(tmp_path)
    monkeypatch.setattr("circuitdsl.engine.store.WAIT", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get(["key 1"]).readings  # who reads does not wait
        with pytest.raises(StoreError, match="is locked") as error:
            store.put({"new": np.zeros(3)})
    assert "wait for that process" in error.value.remedy and "delete" not in error.value.remedy
    store.put({"new": np.zeros(3)})
    assert "new" in store.get(["new"]).readings


def with_room_for(size: int, do: Callable[[], object]) -> None:
    """Do something while no file may be larger than so many bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        do()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_named_and_what_was_there_is_there_still(tmp_path: Path):
    store = filled(tmp_path)

    def put() -> None:
        with pytest.raises(StoreError, match="cannot grow") as error:
            store.put({f"new {i}": np.zeros(5000) for i in range(50)})
        assert "make room" in error.value.remedy

    with_room_for(64_000, put)
    assert set(store.get([*READINGS, "new 1"]).readings) == set(READINGS)


# --- what a session makes of it -------------------------------------------------------------------------


def test_damaged_rows_are_measured_again_with_a_remark(mini, tmp_path: Path):
    store = Store.in_folder(tmp_path)
    first = Session(FastEngine(mini), store)
    answers = first.run(EXPERIMENTS, 12)
    assert first.remarks == ()
    change(store, "UPDATE readings SET numbers = zeroblob(112) WHERE key IN (SELECT key FROM readings LIMIT 2)")
    second = Session(FastEngine(mini), store)
    again = second.run(EXPERIMENTS, 12)
    assert all(np.array_equal(array(again[each]), array(answers[each])) for each in EXPERIMENTS)
    assert (second.answered, second.damaged) == (0, 2)
    assert second.remarks == (
        "the results store is damaged: 2 readings in it lack the checksum; what was asked with them was run again",
    )
    third = Session(FastEngine(mini), store)
    third.run(EXPERIMENTS, 12)
    assert third.answered == len(EXPERIMENTS)


def test_what_cannot_be_kept_is_told_and_the_work_goes_on(mini, tmp_path: Path):
    store = Store.in_folder(tmp_path)
    session = Session(FastEngine(mini), store)
    with_room_for(1000, lambda: session.run(EXPERIMENTS, 12))
    assert len(session.results) == len(EXPERIMENTS)
    (remark,) = session.remarks
    assert remark.startswith("nothing more was kept: the results store") and "make room" in remark


def test_prompts_of_several_batches_are_kept_batch_by_batch(mini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = Session(FastEngine(mini, tokens=120)).run(EXPERIMENTS, 20)
    monkeypatch.setattr("circuitdsl.engine.session.TOKENS_A_PASS", 120)
    stopped = Session(FastEngine(mini, tokens=120), Store.in_folder(tmp_path))
    run, calls = stopped.engine.run, 0

    def once(*arguments: object):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(stopped.engine, "run", once)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(EXPERIMENTS, 20)
    assert not stopped.results
    with closing(sqlite3.connect(tmp_path / "results.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (2 * len(EXPERIMENTS),)
    again = Session(FastEngine(mini, tokens=120), Store.in_folder(tmp_path)).run(EXPERIMENTS, 20)
    assert all(np.array_equal(array(again[each]), array(whole[each])) for each in EXPERIMENTS)
