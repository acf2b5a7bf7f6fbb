"""What is to be drafted: read from a task and settings as a sweep's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from circuitdsl.draft.counterfactuals import named
from circuitdsl.draft.entry import Rule
from circuitdsl.draft.halves import Halves, halves_of
from circuitdsl.draft.writing import circuit_name
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, Method
from circuitdsl.language.environment import Environment
from circuitdsl.language.sweep import SWEEP_SETTINGS, read_sweep

FDR = "5%"
STAGES = 8


@dataclass(frozen=True)
class Asked:
    """A draft to be made. ``circuit`` is that of the task as it was given; those of the ``halves`` follow from it.

    ``mlps`` says whether MLPs are looked for. ``against`` names the counterfactuals that are patched from; none where
    the prompts are to say (``counterfactuals.chosen``). ``settings`` are the settings of its method as they were
    written. ``output`` is where the specification is to stand, from whose folder the names of files count.
    """

    name: str
    circuit: Circuit
    environment: Environment
    halves: Halves
    rule: Rule
    stages: int
    mlps: bool
    against: tuple[str, ...]
    settings: Mapping[str, str]
    output: Path | None

    @property
    def finding(self) -> Circuit:
        """The circuit of the prompts for finding, of no role and no claim."""
        circuit, halves = self.circuit, self.halves
        return replace(circuit, task=halves.finding, method=replace(circuit.method, seed=halves.finding_seed))

    @property
    def path(self) -> str:
        """The name under which the specification is read."""
        return str(self.output or f"{self.name}.circuit")


def read_draft(
    task: str,
    model: str,
    fdr: str | None,
    top: str | None,
    stages: int,
    mlps: bool,
    against: Sequence[str],
    output: Path | None,
    settings: Mapping[str, str],
    environment: Environment,
) -> Asked:
    """What is asked. ``task`` and ``settings`` are written as for a sweep, ``fdr`` and ``top`` as shares: ``5%``. The
    first of the counterfactuals ``against`` is the method's.

    The halves of a file of prompts are written. Raises InputError for what no draft can be made by, and as
    :func:`~circuitdsl.language.sweep.read_sweep` does.
    """
    for name in settings:
        if name not in SWEEP_SETTINGS:
            raise InputError(f"a draft has no setting {name}", f"settings: {', '.join(SWEEP_SETTINGS)}")
    if fdr is not None and top is not None:
        raise InputError("what enters is decided by an error rate or by a share", "give fdr or top, not both")
    rule = read_rule("fdr", fdr or FDR, 0.5) if top is None else read_rule("top", top, 1.0)
    if stages < 1:
        raise InputError(f"{stages} stages are none", "give 1 or more")
    circuit, patched = patched_from(read_sweep(task, (), model, settings, environment).circuit, against)
    settings = {**settings, "against": patched[0]} if patched else settings
    method = circuit.method
    halves = halves_of(circuit.task, method.seed, output)
    name = circuit_name(output.stem if output else f"{circuit.task.name}_{Path(model).name}")
    return Asked(name, circuit, environment, halves, rule, stages, mlps, patched, _written(settings, method), output)


def patched_from(circuit: Circuit, against: Sequence[str]) -> tuple[Circuit, tuple[str, ...]]:
    """The circuit, whose method's counterfactual is the first that is wanted, and all that are wanted.

    Raises InputError for one that the task does not have, and for a task without any.
    """
    if not circuit.method.against:
        raise InputError(
            f"paths are patched from a counterfactual, and the task {circuit.task} has none",
            'give every prompt one: "counterfactuals": {"other": "..."}',
        )
    patched = named(circuit, against)
    method = replace(circuit.method, against=patched[0] if patched else circuit.method.against)
    return replace(circuit, method=method), patched


def read_rule(kind: str, written: str, most: float) -> Rule:
    """A rule of entry by its kind and its share, which is at most ``most``. Raises InputError for what is no share."""
    number = written.strip().removesuffix("%")
    try:
        share = float(number) / (100 if number != written.strip() else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= most:
        raise InputError(f"--{kind} {written} is no share", f"write one up to {100 * most:g}%, as --{kind} 5%")
    return Rule("top" if kind == "top" else "fdr", share)


def _written(settings: Mapping[str, str], method: Method) -> dict[str, str]:
    """The settings of the specification: what was set, and what a draft sets."""
    usual = Method()
    own = {name: value for name, value in settings.items() if name != "prompts" and not _is_usual(name, method, usual)}
    return {**own, "prompts": str(method.prompts_first), "members": "none"}


def _is_usual(name: str, method: Method, usual: Method) -> bool:
    return name != "against" and getattr(method, name) == getattr(usual, name)
