"""A Python for tests that has imported the libraries of models: a process of its own begins as a copy of it.

A process that opens a model spends more time on importing torch, transformers and TransformerLens than on what it is
tested for. ``python tests/warm.py SOCKET -m MODULE ...`` (or ``-c PROGRAM ...``, or ``SCRIPT ...``) does what Python
does with these arguments, in this folder, with this environment and these streams, in a fork of a server that has them.
Of circuitdsl itself the server imports nothing: the package is found and imported anew, as the environment says.
Signals reach the program, which begins with those ignored that the command began with; it ends when the command is
killed, and the command ends as it does.

The libraries were imported in the server's environment. What is tested of the start of a process (what it imports, how
many threads it may have, what memory it takes, its flags, the encodings of its streams) is tested in a Python that was
started for it, and so is what may depend on the order of sets: all copies have one hash seed, and the same state of the
random generators of numpy and torch.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch",
    "transformer_lens",
    "transformer_lens.model_bridge",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
    "scipy.optimize",
    "scipy.stats",
    "typer",
    "rich.console",
    "lark",
    "networkx",
)
STREAMS = (0, 1, 2)
HANDED_ON = (signal.SIGINT, signal.SIGTERM)
_PARENT_DEATH_SIGNAL = 1  # of prctl
WORD = struct.Struct("!i")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, ...]]:
    """A server for as long as this lasts; gives what stands before ``-m`` or ``-c`` in a command."""
    if not hasattr(os, "fork"):
        yield (sys.executable,)
        return
    address = folder / "warm"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, __file__, str(address)],
        stdin=subprocess.PIPE,  # which ends with this process, however that ends
        stdout=subprocess.PIPE,
        env=clean,
        start_new_session=True,
    ) as server:
        try:
            assert server.stdout is not None and server.stdout.readline() == b"ready\n"
            yield sys.executable, __file__, str(address)
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # and all that runs in it


# --- the command -------------------------------------------------------------------------------------


def handed_over(address: str, arguments: list[str]) -> int:
    """Have the server run this, and give the exit code, or end by the signal that ended it. Signals are sent on."""
    request = {
        "arguments": arguments,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "ignored": [number for number in HANDED_ON if signal.getsignal(number) is signal.SIG_IGN],
    }
    with socket.socket(socket.AF_UNIX) as server:
        # what comes before it is known whom to hand it to waits; else it would end this process, or be lost
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON)
        server.connect(address)
        text = json.dumps(request).encode()
        socket.send_fds(server, [WORD.pack(len(text))], STREAMS)
        server.sendall(text)
        program = _word(server)
        for number in HANDED_ON:  # those that it was started with as ignored, too: the program may have other plans
            signal.signal(number, lambda number, frame: os.kill(program, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_ON)
        code = _word(server)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _word(stream: socket.socket) -> int:
    return WORD.unpack(_read(stream, WORD.size))[0]


def _read(stream: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = stream.recv(size - len(read))
        if not more:
            raise SystemExit("the server has gone")
        read += more
    return read


# --- the server --------------------------------------------------------------------------------------


def begun(address: str) -> dict[str, Any]:
    """Serve until killed. Returns only in the forks, with what each is to run."""
    gc.disable()
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # no fork looks through what is there already, and so none has copies of it
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            if 0 in select.select([0, server], [], [])[0]:
                sys.exit()  # whoever wanted it has gone
            client, _ = server.accept()
            with client:
                if not os.fork():
                    server.close()
                    return _waited_for(client)
            with suppress(ChildProcessError):  # those that have ended
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _waited_for(client: socket.socket) -> dict[str, Any]:
    """Returns in a fork of this one, and tells the client how that ends."""
    message, streams, _, _ = socket.recv_fds(client, WORD.size, len(STREAMS))
    request = json.loads(_read(client, WORD.unpack(message)[0]))
    program = os.fork()
    if not program:
        os.setpgid(0, 0)  # Ray kills the process groups of its workers
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)  # who waits for it is killed with the server
        for stream, number in zip(streams, STREAMS, strict=True):
            os.dup2(stream, number)
            os.close(stream)
        return request
    for stream in (*STREAMS, *streams):
        os.close(stream)
    with suppress(OSError):
        client.sendall(WORD.pack(program))
        client.sendall(WORD.pack(_ended(program, client)))
    os._exit(0)


def _ended(program: int, client: socket.socket) -> int:
    """How a program ends; it is killed when its client is."""
    while True:
        ended, status = os.waitpid(program, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if select.select([client], [], [], 0.02)[0]:  # it says nothing more: it has gone
            os.kill(program, signal.SIGKILL)


def run(arguments: list[str], folder: str, environment: dict[str, str], ignored: list[int]) -> None:
    """What Python does when it is started so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ignored:  # as by a shell, for what stands before `&` in a script
        signal.signal(number, signal.SIG_IGN)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = (
        os.fdopen(0, closefd=False),
        os.fdopen(1, "w", closefd=False),
        os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1),
    )
    named = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = ["", *named, *sys.path[1:]]
    while arguments[0] in ("-u", "-B"):  # which execnet says, and flushes what it writes
        del arguments[0]
    match arguments:
        case ["-m", module, *_]:
            sys.argv = arguments[1:]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", program, *others]:
            sys.argv = ["-c", *others]
            exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
        case [script, *_]:
            sys.argv, sys.path[0] = arguments, str(Path(script).parent)
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(handed_over(sys.argv[1], sys.argv[2:]))
    run(**begun(sys.argv[1]))
