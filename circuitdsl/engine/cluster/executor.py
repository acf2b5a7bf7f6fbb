"""Where experiments run: on this machine, or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from circuitdsl.errors import InputError, RunError

LOCAL = "ray"
_WAIT = 5.0  # seconds for a cluster to answer
_STANDARD = "RAY_ADDRESS"  # where Ray's own programs look for a cluster
_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
_OWN: dict[str, Any] = {
    "include_dashboard": False,
    "_system_config": {"prestart_worker_first_driver": False},  # a process a CPU, which nobody would use
}
"""Of a cluster that is started here."""


@dataclass(frozen=True)
class Executor:
    """A Ray cluster by its ``address``, ray://HOST:PORT; "" for the one that RAY_ADDRESS names, or, where that names
    none, for one that is started in this process."""

    address: str = ""

    @classmethod
    def named(cls, written: str) -> Executor:
        """``ray`` or ``ray://HOST:PORT``. Raises InputError."""
        if written == LOCAL:
            return cls()
        if not _ADDRESS.fullmatch(written):
            raise InputError(
                f"there is no executor {written}", "write ray, or the address of a cluster: ray://10.0.0.1:10001"
            )
        return cls(written)

    def __str__(self) -> str:
        return self.address or LOCAL

    def connect(self) -> Any:
        """Ray, connected; a connection that this process has already is used.

        Raises InputError, also where this process is connected to another cluster than the one at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # of a cluster that is started here: as this process has it
        try:
            import ray
        except ImportError as error:
            raise InputError("Ray is not installed", "pip install 'circuitdsl[ray]'") from error
        from ray.exceptions import RayError

        if ray.is_initialized():
            self._require_connected_to(_address())
            return ray
        there = self.address or os.environ.get(_STANDARD, "")
        try:
            if there:
                _require_answer(there)
                _show_token()
                ray.init(there, **_QUIET)
            else:
                ray.init("local", **_QUIET, **_OWN)
            if not self.address:
                _keep_quiet(ray)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            said = " ".join(str(error).split())
            raise InputError(
                f"no Ray cluster can be used at {there or self}: {said[:300]}",
                "start one with `ray start --head`, with the versions of Python and Ray that are here; if it asks for "
                "a token, have that in ~/.ray/auth_token or RAY_AUTH_TOKEN",
            ) from error
        return ray

    def _require_connected_to(self, address: str) -> None:
        """A process has one connection at a time."""
        if self.address not in ("", address):
            raise InputError(
                f"this process is connected to another Ray cluster than {self}: {address or 'one by ray.init()'}",
                "call ray.shutdown() first, or use the cluster that is connected: executor ray",
            )


def _show_token() -> None:
    """Have Ray show the token that it keeps, if it does: `ray start` asks for one, and Ray shows it by itself only to
    clusters that it has found by itself."""
    from ray._private.authentication import authentication_token_setup as setup

    logging.getLogger("ray").setLevel(logging.ERROR)  # or it says so
    setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _require_answer(address: str) -> None:
    """Raises OSError where nothing answers: Ray itself would wait for half a minute, or for ever. What has no port
    (auto) Ray looks up by itself."""
    if read := re.fullmatch(rf"(ray://)?{_PLACE}", address):
        socket.create_connection((read["host"].strip("[]"), int(read["port"])), _WAIT).close()


def _address() -> str:
    """ray://HOST:PORT of the cluster that is connected through Ray's client; "" for one that is not."""
    from ray.util.client import ray as client

    worker = client.get_context().client_worker
    return f"ray://{worker._conn_str}" if worker is not None and worker.is_connected() else ""


@contextmanager
def connected(ray: Any) -> Iterator[None]:
    """What Ray raises where its cluster is not there any more, as RunError; what a task raised is raised as it is.

    Where Ray knows by itself that its cluster is lost, it would look for another one, and wait: so it is not asked.
    Around what is asked of Ray alone: a broken pipe to whoever reads a report is a ConnectionError, too.
    """
    from grpc import RpcError
    from ray.exceptions import RayError, RayTaskError

    try:
        if not ray.is_initialized():
            raise ConnectionError("it is closed")
        yield
    except RayTaskError:
        raise
    except (ConnectionError, RpcError, RayError) as error:
        said = " ".join(str(error).split())
        raise RunError(
            f"the connection to the Ray cluster was lost: {type(error).__name__}: {said[:300]}",
            "look at its first node with `ray status`, and run this again: what was measured so far is kept",
        ) from error


@dataclass(frozen=True)
class Ended:
    """In place of what a task returned: its worker ended, with or without its node; ``why`` is what Ray says of it."""

    why: str


def answer_of(ray: Any, ref: Any) -> Any:
    """What a task returned, or Ended. Raises what a task raised, a mistake of ours, and RunError where the cluster is
    lost."""
    from ray.exceptions import RayError, RayTaskError

    with connected(ray):
        try:
            return ray.get(ref)
        except RayTaskError:
            raise
        except RayError as error:
            return Ended(" ".join(str(error).split())[:500])


def _keep_quiet(ray: Any) -> None:
    """Ray says on standard output, where a report for programs may go, what became of workers and nodes, and has no
    setting for it; a report says it in a note."""
    ray._private.worker.print_to_stdstream = lambda data, ignore_prefix: None


_PLACE = r"(?P<host>[^\s:/@]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})"
_ADDRESS = re.compile(f"ray://{_PLACE}")
