"""What is to be refined: a circuit of a file, and the two halves of its prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from circuitdsl.draft.asked import FDR, read_rule
from circuitdsl.draft.entry import Rule
from circuitdsl.draft.halves import Halves, halves_of
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.environment import Environment
from circuitdsl.language.resolve import Loaded, circuit_named, load_with_warnings
from circuitdsl.language.source import Source
from circuitdsl.tasks import files_of


@dataclass(frozen=True)
class Asked:
    """A circuit of a file. ``written`` is the text of the file with its own line ends, ``loaded`` what it means."""

    written: str
    loaded: Loaded
    circuit: Circuit
    environment: Environment
    halves: Halves
    rule: Rule

    @property
    def source(self) -> Source:
        return self.loaded.sources[self.circuit.file]

    @property
    def finding(self) -> Circuit:
        """The circuit on the prompts for finding, on one number of them."""
        return _on(self.circuit, replace(self.circuit, task=self.halves.finding), self.halves.finding_seed)

    @property
    def judging(self) -> Circuit:
        """The circuit on the prompts for judging."""
        return _on(self.circuit, replace(self.circuit, task=self.halves.judging), self.circuit.method.seed)


def _on(circuit: Circuit, other: Circuit, seed: int) -> Circuit:
    method = circuit.method
    return replace(other, method=replace(method, seed=seed, prompts_most=method.prompts_first))


def read_refinement(path: str, name: str, fdr: str | None, environment: Environment, folder: Path) -> Asked:
    """The circuit ``name`` of a file, its only one for "". Halves of a file of prompts are written into ``folder``.

    Raises SpecError for a file that is wrong, InputError for a circuit that it has not, and for prompts that cannot be
    divided.
    """
    loaded = load_with_warnings([path], environment)
    circuit = circuit_named(loaded.document, name, path)
    files = files_of(circuit.task)
    halves = halves_of(circuit.task, circuit.method.seed, folder / f"{files[0].stem if files else name}.circuit")
    if files:
        halves = replace(halves, about=f"found on one half of the lines of {files[0].name}, judged on the other")
    written = Path(path).read_bytes().decode("utf-8")
    return Asked(written, loaded, circuit, environment, halves, read_rule("fdr", fdr or FDR, 0.5))
