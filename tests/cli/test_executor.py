"""`--executor`: which cluster is asked for, and what is said where it cannot be had."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import run

import circuitdsl as cd
from circuitdsl.engine.cluster.executor import Executor
from circuitdsl.errors import InputError
from circuitdsl.models import open_model

SPEC = "circuit c {\n  model mini\n  task ioi\n  expect logit_diff >= 0\n}\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "c.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_cluster_is_named_by_its_address_or_started_here():
    assert Executor.named("ray") == Executor("")
    assert Executor.named("ray://10.0.0.1:10001") == Executor("ray://10.0.0.1:10001")
    assert str(Executor.named("ray://[::1]:10001")) == "ray://[::1]:10001"


@pytest.mark.parametrize("written", ["dask", "", "ray://", "ray://host", "ray://host:x", "ray://a b:1", "ray://u@h:1"])
def test_anything_else_is_no_executor(spec: Path, written: str):
    ended = run("check", spec, "--no-cache", "--executor", written)
    assert ended.code == 2
    assert "there is no executor" in ended.err and "ray://10.0.0.1:10001" in ended.err


def test_a_cluster_that_does_not_answer_is_told_at_once(spec: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{free.getsockname()[1]}"
    ended = run("check", spec, "--no-cache", "--executor", address)
    assert ended.code == 2
    assert f"no Ray cluster can be used at {address}" in ended.err and "ray start --head" in ended.err
    monkeypatch.setenv("RAY_ADDRESS", address.removeprefix("ray://"))
    ended = run("check", spec, "--no-cache", "--executor", "ray")
    assert ended.code == 2
    assert f"no Ray cluster can be used at {address.removeprefix('ray://')}" in ended.err


CLUSTER = """
import os
os.environ["RAY_AUTH_MODE"] = "token"
from ray._raylet import Config
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
del os.environ["RAY_AUTH_MODE"]
Config.initialize("")  # which Ray reads once
os.environ["RAY_ADDRESS"] = cluster.address
from circuitdsl.engine.cluster.executor import Executor
(node,) = Executor.named("ray").connect().nodes()
assert node["NodeID"] == cluster.head_node.node_id
import ray
ray.shutdown()
cluster.shutdown()
"""


def test_ray_is_the_cluster_of_ray_address_which_may_ask_for_a_token():
    """As one does that `ray start` began."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")
    there = os.environ | {"RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    ended = subprocess.run([sys.executable, "-c", CLUSTER], env=there, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_a_token_that_is_not_there_is_asked_for(tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")
    program = "from circuitdsl.engine.cluster.executor import Executor; Executor.named('ray').connect()"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        there = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        there |= {"RAY_AUTH_MODE": "token", "RAY_ADDRESS": address, "HOME": str(tmp_path)}
        ended = subprocess.run([sys.executable, "-c", program], env=there, capture_output=True, text=True, timeout=120)
    assert f"InputError: no Ray cluster can be used at {address}" in ended.stderr, ended.stderr


def test_without_ray_it_is_said_how_to_have_it(spec: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = run("check", spec, "--no-cache", "--executor", "ray")
    assert ended.code == 2
    assert "Ray is not installed" in ended.err and "pip install 'circuitdsl[ray]'" in ended.err


def test_a_model_that_is_in_memory_alone_is_refused(spec: Path):
    with pytest.raises(InputError, match="cannot be run on a cluster"):
        cd.check(spec, open_model("planted-ioi").bridge, executor="ray")


def test_a_process_that_is_connected_to_another_cluster_is_told():
    class Client:
        client_worker = SimpleNamespace(_conn_str="10.0.0.1:10001", is_connected=lambda: True)

        def get_context(self) -> Client:
            return self

    here = pytest.importorskip("ray", reason="Ray is not installed: pip install 'circuitdsl[ray]'")
    importlib.import_module("ray.util.client")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here.util.client, "ray", Client())
        patch.setattr(here, "is_initialized", lambda: True)
        assert Executor().connect() is Executor("ray://10.0.0.1:10001").connect() is here
        with pytest.raises(InputError, match=r"another Ray cluster than ray://10\.0\.0\.2:10001: ray://10\.0\.0\.1:"):
            Executor("ray://10.0.0.2:10001").connect()
