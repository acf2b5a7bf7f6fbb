"""Are the figures of every shipped specification those of an earlier commit, to the last bit?

    python -m benchmarks.equality COMMIT

The command line of the commit and that of this tree run the same checks, plans and comparisons, and their JSON is
compared: all of it but what names a time or a version. Keys that only this tree has are listed and are no difference.
It is for changes that must leave all figures alone, against the commit before them: between f8575df, the rebuild of the
package, and c3cc980 there is no difference in 43,835 numbers. Rules of judging that are changed on purpose show up.
Models that are not on this machine are planned and not run. Exit code 1 if anything differs.

Up to c3cc980 experiments of a second look ran in the order of their hashes, so that figures moved by 1e-9 from one
process to the next. The copy of such a commit is given the order in which they are asked for; nothing else is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IGNORED = frozenset({"seconds", "versions", "schema"})
MINI = tuple(f"specs/mini/{name}.circuit" for name in ("ioi", "colored_objects", "reuse", "repair"))
PLANTED = tuple(f"specs/planted/{path.name}" for path in sorted((ROOT / "specs/planted").glob("*.circuit")))
SMOLLM2 = tuple(f"specs/smollm2-135m/{name}.circuit" for name in ("ioi", "colored_objects", "reuse", "repair"))

IN_HASH_ORDER = ("circuitdsl/plan/drive.py", "results = run(frozenset(", "results = run(dict.fromkeys(")

Run = tuple[str, ...]
"""The arguments of one call of the command line, which prints JSON."""


def runs() -> Iterator[Run]:
    """Every call that is compared."""
    yield "check", *MINI
    yield "check", *MINI, "--engine", "plain", "--prompts", "20", "--no-unexplained"
    yield "check", *MINI[:1], "--screen", "bf16"
    for spec in PLANTED:
        yield "check", spec
    yield "diff", MINI[2], "--function", "--prompts", "40", "--quoted", "78%"
    yield "diff", "specs/planted/reuse.circuit", "--function", "--prompts", "40"
    yield "diff", MINI[0], MINI[1]
    for spec in sorted((ROOT / "specs").rglob("*.circuit")):
        yield "plan", str(spec.relative_to(ROOT))
        yield "lint", str(spec.relative_to(ROOT))
    if _added("smollm2-135m"):
        yield "check", *SMOLLM2, "--prompts", "8", "--no-unexplained"


def _added(model: str) -> bool:
    from circuitdsl.models import ModelError, open_model

    try:
        open_model(model)
    except ModelError:
        return False
    return True


def output(tree: Path, run: Run) -> Any:
    """What the command line of a tree prints, as data."""
    settings = {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "circuitdsl", *run, "--format", "json"]
    if run[0] == "check":
        command.append("--no-cache")
    with tempfile.TemporaryDirectory() as cache:
        # The store of a run is its own; models that were added stay where they are.
        models = Path(os.environ.get("CIRCUITDSL_CACHE") or "~/.cache/circuitdsl").expanduser() / "models"
        if models.is_dir():
            (Path(cache) / "models").symlink_to(models)
        environment = {**os.environ, **settings, "CIRCUITDSL_CACHE": cache}
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"exit": done.returncode, "stderr": done.stderr}


def _put_in_order(tree: Path) -> None:
    name, old, new = IN_HASH_ORDER
    if (tree / name).is_file():
        (tree / name).write_text((tree / name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Where two values differ; a float differs if its bits do."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() - IGNORED:
            if key not in after:
                yield f"{place}/{key} is gone"
            else:
                yield from differences(before[key], after[key], f"{place}/{key}")
    elif isinstance(before, Sequence) and isinstance(after, Sequence) and not isinstance(before, str):
        if len(before) != len(after):
            yield f"{place} has {len(after)} entries, and had {len(before)}"
        for number, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from differences(old, new, f"{place}/{number}")
    elif before != after:
        yield f"{place} is {after!r}, and was {before!r}"


def added(before: Any, after: Any) -> frozenset[str]:
    """The names of keys that are new."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        shared = (added(before[key], after[key]) for key in before.keys() & after.keys())
        return frozenset(after.keys() - before.keys() - IGNORED).union(*shared)
    if isinstance(before, Sequence) and isinstance(after, Sequence) and not isinstance(before, str):
        return frozenset[str]().union(*(added(old, new) for old, new in zip(before, after, strict=False)))
    return frozenset()


def estimates(value: Any) -> int:
    """How many numbers a value holds."""
    if isinstance(value, Mapping):
        return sum(map(estimates, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sum(map(estimates, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def main() -> int:
    """Compare this tree with a commit."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    different, compared, new = 0, 0, frozenset[str]()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), sys.argv[1]], cwd=ROOT, check=True)
        try:
            _put_in_order(tree)
            for run in runs():
                before, after = output(tree, run), output(ROOT, run)
                found = list(differences(before, after))
                different += len(found)
                compared += estimates(before)
                new |= added(before, after)
                print(f"{'differs' if found else 'equal  '}  {' '.join(run)}", flush=True)
                for line in found[:20]:
                    print(f"    {line}")
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)
    print(
        f"{compared:,} numbers compared, {different} differences; keys that are new: {', '.join(sorted(new)) or 'none'}"
    )
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
