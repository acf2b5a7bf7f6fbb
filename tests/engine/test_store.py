"""The results store: nothing is run twice, nothing stale is used, nothing is lost to a kill or to a neighbour."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ioi_data import IOI
from store_writing import write

from arrays import array
from circuitdsl.actions import Ablate
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store, canonical, default_folder, key_of
from circuitdsl.errors import InputError
from circuitdsl.measures.experiments import Ablated, Clean, Experiment, Intervened, Mean, Metric, Patched, Zero
from circuitdsl.measures.measurement import Failure
from circuitdsl.models import open_model
from circuitdsl.models.folders import MINI

HEADS = frozenset(Node(Head(3, i), Position("END")) for i in range(4))
EXPERIMENTS = [
    Experiment(IOI, Clean(), Metric("logit_diff")),
    Experiment(IOI, Ablated(HEADS, Zero()), Metric("logit_diff")),
    Experiment(IOI, Ablated(HEADS, Mean("abc", 2, by_template=True)), Metric("accuracy")),
]


def session(model, store) -> tuple[Session, list[int]]:
    ticks: list[int] = []
    return Session(PlainEngine(model, tick=ticks.append), store), ticks


def test_a_second_call_runs_nothing_and_answers_the_same(mini, tmp_path):
    first, ran = session(mini, Store.in_folder(tmp_path))
    answers = first.run(EXPERIMENTS, 60)
    assert sum(ran) > 0
    second, again = session(mini, Store.in_folder(tmp_path))
    kept = second.run(EXPERIMENTS, 60)
    assert again == []
    assert second.answered == len(EXPERIMENTS)
    for experiment in EXPERIMENTS:
        np.testing.assert_array_equal(kept[experiment], answers[experiment])


def test_one_more_experiment_runs_alone(mini, tmp_path):
    store = Store.in_folder(tmp_path)
    session(mini, store)[0].run(EXPERIMENTS[:2], 60)
    more, ran = session(mini, store)
    more.run([*EXPERIMENTS[:2], Experiment(IOI, Ablated(frozenset(list(HEADS)[:1]), Zero()), Metric("accuracy"))], 60)
    assert sum(ran) == 60


def test_the_means_of_an_intervention_are_over_their_own_prompts_for_paths_under_it_too(mini, tmp_path):
    less = Ablate(tuple(HEADS), text="less")
    under = [Intervened((less,), (Mean("abc", reference, by_template=True),)) for reference in (2, 3)]
    sender = frozenset({Node(Head(2, 3), Position("END"))})
    paths = [Experiment(IOI, Patched(sender, frozenset(), "abc", False, each), Metric("logit_diff")) for each in under]
    store = Store.in_folder(tmp_path)
    for path in paths:
        asked, ran = session(mini, store)
        asked.run([path], 60)
        assert asked.answered == 0
        assert sum(ran) > 60


def test_other_weights_prompts_references_or_settings_are_other_results(mini, tmp_path):
    store = Store.in_folder(tmp_path)
    base = session(mini, store)[0]
    base.run(EXPERIMENTS, 60)
    mean = EXPERIMENTS[2]
    assert isinstance(mean.world, Ablated)
    seeded = replace(mean, data=replace(IOI, seed=4))
    shorter = replace(mean, world=Ablated(HEADS, Mean("abc", 3, by_template=True)))
    for changed in (seeded, shorter):
        other, ran = session(mini, store)
        other.run([changed], 60)
        assert sum(ran) > 0

    engine = PlainEngine(mini)
    stream = base.prompts(IOI, 60)

    def keys(asked: Session) -> set[str]:
        return set(asked._keys(stream, stream, EXPERIMENTS, asked.references(IOI, EXPERIMENTS)).values())

    class Renamed(PlainEngine):
        name = "renamed"

    assert not keys(Session(Renamed(mini), store)) & keys(Session(engine, store))

    class Edited:
        bridge, geometry, identity, tokenizer = mini.bridge, mini.geometry, "other weights", mini.tokenizer

    assert not keys(Session(PlainEngine(Edited()), store)) & keys(base)  # type: ignore[arg-type]


def test_another_configuration_of_the_same_weights_is_measured_anew(mini, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"scale_attn_by_inverse_layer_idx": True}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    other = open_model(folder)
    assert other.fingerprint == mini.fingerprint
    store = Store.in_folder(tmp_path / "kept")
    asked = [session(model, store)[0] for model in (mini, other)]
    ours, theirs = (each.run(EXPERIMENTS, 60) for each in asked)
    assert [each.answered for each in asked] == [0, 0]
    for experiment in EXPERIMENTS[:2]:
        assert not np.array_equal(array(ours[experiment]), array(theirs[experiment]))


def test_failures_are_not_kept(mini, tmp_path):
    store = Store.in_folder(tmp_path)
    wrong = Experiment(IOI, Ablated(frozenset({Node(Head(0, 0), Position("QUERY"))}), Zero()), Metric("logit_diff"))
    assert isinstance(session(mini, store)[0].run([wrong], 60)[wrong], Failure)
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (0,)


def test_a_damaged_file_is_named_with_a_remedy(tmp_path):
    (tmp_path / "results.sqlite").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(InputError, match=r"results\.sqlite cannot be used") as error:
        Store.in_folder(tmp_path)
    assert "delete the file" in error.value.remedy


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be made"):
        Store.in_folder(tmp_path / "file" / "folder")


def test_the_folder_is_the_users_to_choose(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CIRCUITDSL_CACHE", raising=False)
    assert default_folder() == tmp_path / "circuitdsl"
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"


WRITER = """
import sys, numpy as np
from pathlib import Path
from circuitdsl.engine.store import Store
store = Store.in_folder(Path(sys.argv[1]))
print("ready", flush=True)
for i in range(100_000):
    store.put({f"{i}-{j}": np.full(50, float(i)) for j in range(20)})
"""


def test_a_kill_in_the_middle_leaves_whole_batches(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGKILL)
    store = Store.in_folder(tmp_path)
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        keys = [key for (key,) in connection.execute("SELECT key FROM readings")]
    batches = {int(key.split("-")[0]) for key in keys}
    assert batches
    assert len(keys) == 20 * len(batches)
    found = store.get([f"{max(batches)}-{j}" for j in range(20)]).readings
    assert all((values == max(batches)).all() for values in found.values())


def test_two_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(tmp_path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = Store.in_folder(tmp_path).get([f"{name}-{i}" for name in "ab" for i in range(50)])
    assert len(found.readings) == 100


nodes = st.builds(
    Node, st.builds(Head, st.integers(0, 3), st.integers(0, 3)), st.builds(Position, st.sampled_from("AB"))
)
worlds = st.builds(Ablated, st.frozensets(nodes, max_size=4), st.sampled_from([Zero(), Mean("abc", 5, True)]))


@given(worlds, worlds)
def test_keys_are_equal_exactly_for_equal_values(one, other):
    assert (key_of(one) == key_of(other)) == (one == other)


@given(st.lists(nodes, unique=True))
def test_keys_do_not_depend_on_the_order_of_sets(some):
    assert canonical(frozenset(some)) == canonical(frozenset(reversed(some)))


def test_keys_tell_types_apart():
    assert len({key_of(value) for value in (1, 1.0, "1", (1,), True, None, ("1",), frozenset({1}))}) == 8
