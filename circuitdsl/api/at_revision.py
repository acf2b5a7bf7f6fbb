"""``HEAD:my.circuit``: a specification as git has it, read by calling git."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.api.environments import environment
from circuitdsl.errors import InputError
from circuitdsl.language.resolve import circuit_named, resolve_text
from circuitdsl.language.source import MOST_BYTES

if TYPE_CHECKING:
    from circuitdsl.language.circuit import Circuit
    from circuitdsl.models.given import AnyModel

_PATIENCE = 30.0  # seconds for git to answer
_SPEC = re.compile(r"(?P<revision>[^:-][^:]*):(?P<path>[^:]+\.circuit)(?::(?P<circuit>[^:]+))?")


@dataclass(frozen=True)
class AtRevision:
    """A file of a revision of a git repository, and the name of a circuit in it or ""."""

    revision: str
    path: Path
    circuit: str

    def __str__(self) -> str:
        return f"{self.revision}:{self.path}"

    def circuits(self, model: AnyModel | None, revision: str | None) -> tuple[Circuit, ...]:
        """All of its circuits, or the one that is named. Files that it names are those of the working tree.

        Raises InputError where git has no such file, and SpecError for what is wrong in it.
        """
        document = resolve_text(self._text(), str(self.path), environment(model, revision))
        found = (circuit_named(document, self.circuit, str(self)),) if self.circuit else document.circuits
        return tuple(replace(circuit, file=str(self)) for circuit in found)

    def _text(self) -> str:
        folder = next(parent for parent in self.path.absolute().parents if parent.is_dir())
        self._git(folder, "rev-parse", "--is-inside-work-tree")
        below = os.path.relpath(self.path.absolute(), folder)
        text = self._git(folder, "cat-file", "blob", f"{self.revision}:./{below}")
        if len(text) > MOST_BYTES:
            raise InputError(f"{self} is larger than {MOST_BYTES // 10**6} MB", "name another file")
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{self} is not UTF-8: byte {error.start}", "name a specification") from error

    def _git(self, folder: Path, *arguments: str) -> bytes:
        import subprocess  # here, since few ask git

        command = ["git", "-C", str(folder), *arguments]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=_PATIENCE, env={**os.environ, "LC_ALL": "C"})
        except ValueError as error:  # a null character
            raise InputError(f"{self} is no name of a file: {error}", "name one that git has") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{self} is read by git, which did not answer: {error}"
            raise InputError(message, "install git, or name a file") from error
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip()
            if "not a git repository" in said:
                raise InputError(
                    f"{self}: {folder} is in no git repository", "name a file that lies in one, or two files"
                )
            remedy = "name a commit, branch or tag, and a file that it has: HEAD:my.circuit"
            raise InputError(f"git has no {self}: {said.splitlines()[-1] if said else 'it does not say why'}", remedy)
        return ended.stdout


def at_revision(spec: str) -> AtRevision | None:
    """``REVISION:FILE`` or ``REVISION:FILE:CIRCUIT`` as its parts; None for what is a file of its own."""
    found = _SPEC.fullmatch(spec)
    if not found or Path(spec).exists() or Path(found["revision"]).is_file():
        return None
    return AtRevision(found["revision"], Path(found["path"]), found["circuit"] or "")
