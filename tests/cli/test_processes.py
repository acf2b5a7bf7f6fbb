"""What only a process of its own shows: what is imported, signals, pipes, other folders, other encodings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import ROOT, environment, process

HEAVY = ("torch", "transformers", "transformer_lens", "scipy")
SPEC = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 20 }\n  expect logit_diff >= 0\n}\n"


LIGHT = (
    ["--help"],
    ["check", "--help"],
    ["lint", "specs/mini/ioi.circuit"],
    ["lint", "specs/gpt2/ioi.circuit", "--format", "sarif"],
    ["plan", "specs/mini/ioi.circuit"],
    ["sweep", "ioi", "--dry-run"],
    ["fmt", "--check", "specs/mini/ioi.circuit"],
    ["show", "specs/mini/ioi.circuit"],
    ["explain", "faithfulness"],
    ["explain", "mini"],
    ["models"],
    ["tasks"],
    ["tasks", "show", "ioi"],
    ["tasks", "show", "ioi", "--model", "planted-ioi"],
    ["export", "specs/mini/ioi.circuit", "--format", "eap"],
    ["import", "tests/cli/mini.json", "--model", "mini", "--task", "ioi"],
)
LIGHT_BUT_FOR_SCIPY = ["diff", "specs/mini/ioi.circuit", "specs/mini/colored_objects.circuit"]
HELP = [
    [*command.split(), "--help"]
    for command in ("", "check", "plan", "sweep", "diff", "models add", "tasks show", "import", "export")
]


def test_what_needs_no_model_loads_no_torch():
    *light, diff = _ended([*LIGHT, LIGHT_BUT_FOR_SCIPY], HEAVY)
    assert light == [[arguments, 0, []] for arguments in LIGHT]
    assert diff in ([LIGHT_BUT_FOR_SCIPY, 0, []], [LIGHT_BUT_FOR_SCIPY, 0, ["scipy"]])


def test_help_loads_no_more_than_the_command_line():
    packages = (*HEAVY, "networkx", "numpy", "lark")
    assert _ended(HELP, packages) == [[arguments, 0, []] for arguments in HELP]


def test_lint_and_explain_compute_nothing():
    commands = [["lint", "specs/mini/ioi.circuit", "specs/facts/recall.circuit"], ["explain", "knockout"]]
    assert _ended(commands, (*HEAVY, "numpy")) == [[arguments, 0, []] for arguments in commands]


def _ended(commands: Sequence[Sequence[str]], packages: Sequence[str]) -> list[list[object]]:
    """Each command with its exit code and which of some packages are loaded after it.

    One process runs all of them: what one loads stands in its line and in those after it.
    """
    script = (
        "import json, sys\n"
        "from circuitdsl.cli import main\n"
        f"for arguments in {commands!r}:\n"
        "    sys.argv = ['circuitdsl', *arguments]\n"
        "    try:\n        code = main() or 0\n    except SystemExit as ended:\n        code = ended.code or 0\n"
        f"    loaded = sorted(set({packages!r}) & set(sys.modules))\n"
        "    print('\\nENDED', json.dumps([arguments, code, loaded]))\n"
    )
    command = [sys.executable, "-c", script]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=120).stdout
    return [json.loads(line[5:]) for line in shown.splitlines() if line.startswith("ENDED")]


def test_shipped_specs_are_found_from_any_folder(tmp_path: Path):
    linted = process("lint", "specs/mini/ioi.circuit", cwd=tmp_path)
    assert (linted.code, linted.out) == (0, "nothing is wrong\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own_goes_before_a_shipped_one(tmp_path: Path):
    own = tmp_path / "specs" / "mini" / "ioi.circuit"
    own.parent.mkdir(parents=True)
    own.write_text("circuit mine {\n  model mini\n  task  ioi\n  role a at END { 0.1 }\n}\n")
    assert "mine" in process("show", "specs/mini/ioi.circuit", cwd=tmp_path).out


def test_no_shipped_spec_lies_outside_their_folder(tmp_path: Path):
    ended = process("lint", "specs/../pyproject.toml", cwd=tmp_path)
    assert ended.code == 2
    assert "there is no file" in ended.out


# Each command in a process of its own that has all loaded, with a stream that nobody will ever read: its first write
# fails. At its end Python would write what is left in buffers.
UNREAD = """
import json, os, sys
import circuitdsl as cd
from circuitdsl.cli import main
cd.show(cd.plan(cd.load("specs/mini/ioi.circuit")))
ended = []
for stream, arguments in {commands!r}:
    child = os.fork()
    if not child:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, stream)
        sys.argv = ["circuitdsl", *arguments]
        try:
            code = main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    ended.append([stream, arguments, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
print(json.dumps(ended))
"""
TOLD = (["plan", "nosuch.circuit"], ["lint", "--nosuch"], ["nosuch"], ["models", "add", "nosuch"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_reader_that_has_gone_is_nobodys_mistake():
    commands = [
        *((1, each) for each in (*LIGHT, ["tasks", "show", "--help"], ["--version"])),
        *((2, each) for each in TOLD),
    ]
    commands.remove((1, ["fmt", "--check", "specs/mini/ioi.circuit"]))  # which says nothing
    script = UNREAD.format(commands=commands)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=120
    )
    assert ended.stderr == ""
    assert json.loads(ended.stdout) == [[stream, arguments, 141] for stream, arguments in commands]


def test_letters_that_the_output_cannot_hold_are_escaped():
    ended = process("show", "specs/mini/ioi.circuit", PYTHONIOENCODING="ascii")
    assert (ended.code, ended.err) == (0, "")
    assert "\\u25b2" in ended.out  # the arrow to the logits


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are letters elsewhere")
def test_a_file_with_a_name_that_is_not_utf8(tmp_path: Path):
    path = os.fsencode(tmp_path) + b"/my\xff.circuit"
    Path(os.fsdecode(path)).write_text("circuit c {\n  model mini\n  task  nope\n}\n")
    command = [sys.executable, "-m", "circuitdsl", "lint", path]
    ended = subprocess.run(command, capture_output=True, env=environment(), timeout=120, check=False)
    assert ended.returncode == 2
    assert b".circuit:3:9" in ended.stdout
    assert ended.stderr == b""


class Watching:
    """``check --watch`` in a process of its own, whose reports are read line by line."""

    def __init__(self, spec: Path, cache: Path, python: Sequence[str]):
        command = [*python, "-m", "circuitdsl", "check", "--watch", "--no-unexplained", str(spec)]
        environ = environment(CIRCUITDSL_CACHE=str(cache))
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environ
        )
        self.deadline = threading.Timer(200, self.process.kill)
        self.deadline.start()

    def error_line(self, part: str) -> str:
        """The next line of standard error with this in it; fails if the process ends first."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if part in line)

    def report(self) -> str:
        """The next report, up to the controls of a circuit or the accuracies of an intervention."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(("controls:", "accuracy ")):
                return "".join(lines)
        raise AssertionError("the process ended")

    def end(self) -> None:
        self.deadline.cancel()
        self.process.kill()
        self.process.communicate()


def test_watching_sees_files_that_are_used_and_files_of_prompts(tmp_path: Path, warm: tuple[str, ...]):
    """The file given is never touched; those that it leads to are.

    It is started as a shell starts what stands before `&` in a script, with interrupts ignored: whoever interrupts it
    means it all the same.
    """
    rows = [
        {"prompt": f"Then {one} and {two} met. {two} gave a ball to", "answer": f" {one}", "wrong": [f" {two}"]}
        for one, two in (("Mary", "John"), ("John", "Anna"), ("Anna", "Mary"))
    ]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "used.circuit").write_text(SPEC.replace("ioi", 'file("prompts.jsonl")'))
    spec = tmp_path / "repair.circuit"
    spec.write_text(
        'use "used.circuit"\nintervention i on c {\n  scale { 1.0 } at END by 0\n  expect accuracy >= 0%\n}\n'
    )
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh") if os.name == "posix" else ()
    watching = Watching(spec, tmp_path / "cache", (*ignoring, *warm))
    try:
        assert "1 claim holds; nothing fails" in watching.report()
        watching.error_line("watching; Ctrl-C ends it")
        (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows[:2])))
        assert "2 prompts" in watching.report()
        (tmp_path / "used.circuit").write_text(SPEC.replace("mini", "nosuch"))
        assert "C201" in watching.error_line("error[")
        (tmp_path / "used.circuit").write_text(SPEC)
        assert "20 prompts" in watching.report()
        watching.process.send_signal(signal.SIGINT)
        assert watching.error_line("interrupted") == "interrupted\n"
        assert watching.process.wait(timeout=60) == 130
    finally:
        watching.end()


def test_watching_checks_again_after_each_save_and_ends_with_an_interrupt(tmp_path: Path, warm: tuple[str, ...]):
    spec = tmp_path / "my.circuit"
    spec.write_text(SPEC)
    watching = Watching(spec, tmp_path / "cache", warm)
    try:
        assert "1 claim holds; nothing fails" in watching.report()
        watching.error_line("watching; Ctrl-C ends it")
        spec.write_text(SPEC.replace(">= 0", ">= "))
        assert "C1" in watching.error_line("error[")
        spec.write_text(SPEC.replace(">= 0", "<= 0"))
        second = watching.report()
        assert "1 claim fails" in second
        assert "0 experiments run" in second  # the model and its readings are at hand
        watching.process.send_signal(signal.SIGINT)
        assert watching.error_line("interrupted") == "interrupted\n"
        assert watching.process.wait(timeout=60) == 130
    finally:
        watching.end()
