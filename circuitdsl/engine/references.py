"""The prompts that means and resampled outputs are taken from: a stream of their own, in independent groups.

They do not depend on how many prompts are measured. Every prompt takes its values from one group, so that prompts which
share a group share its noise: the judge treats them as one cluster. No torch: plans count these prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import assert_never

from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.store import key_of
from circuitdsl.language.environment import TaskInfo
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Drawn,
    EdgesKept,
    Experiment,
    Intervened,
    Isolated,
    Mean,
    Patched,
    Sketched,
    Source,
    World,
)
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.tasks.prompts import Prompt

FREE_GROUPS = 10
"""How many more groups than templates there are at least, so that the noise between groups can be counted."""

SEEDS = 2**31
"""A method's seed is below this, so that no method draws the prompts of a reference."""


def reference_seed(seed: int) -> int:
    """The seed of the stream that a method with this seed takes its reference from: the seed plus 2^31."""
    return seed + SEEDS


def groups_of_each(templates: int) -> int:
    """How many groups each of so many templates has."""
    return 2 if templates >= FREE_GROUPS else -(-FREE_GROUPS // templates) + 1


@dataclass(frozen=True)
class Group:
    """The prompts that a value is taken from, and the name of the group in its reference."""

    label: str
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True)
class Reference:
    """The groups of each template, or of "" for all prompts together. ``size``: prompts that a group should have.

    ``whole``: they are all prompts that there are, so that there is no noise of theirs to be counted.
    """

    groups: Mapping[str, tuple[tuple[Prompt, ...], ...]]
    by_template: bool
    size: int
    whole: bool = False

    def group_of(self, prompt: Prompt) -> Group:
        """The group that a prompt takes its values from. Raises CannotMeasure for a template that has none."""
        template, turn = (prompt.template, prompt.turn) if self.by_template else ("", prompt.number)
        if template not in self.groups:
            raise CannotMeasure(
                f"the reference has no prompt of the template {template}, so there is nothing to take values from: "
                "write `ablate mean`, or give that template more prompts"
            )
        own = self.groups[template]
        return Group(_label(template, turn % len(own)), own[turn % len(own)])

    def labelled(self) -> Iterator[Group]:
        """Every group."""
        for template, own in self.groups.items():
            yield from (Group(_label(template, index), prompts) for index, prompts in enumerate(own))

    @property
    def counted(self) -> bool:
        """Whether there are groups enough for the noise between them to be counted."""
        return sum(len(own) - 1 for own in self.groups.values()) >= FREE_GROUPS

    def cluster_of(self, prompt: Prompt) -> str:
        """The group whose noise a prompt shares; "" where the noise of its groups cannot be counted."""
        label, template = self.group_of(prompt).label, prompt.template if self.by_template else ""
        return label if self.counted and len(self.groups[template]) > 1 else ""

    @cached_property
    def key(self) -> str:
        """A hash of all prompts and of their groups."""
        return key_of(self.groups)


def reference_over(prompts: Sequence[Prompt], source: Drawn) -> Reference:
    """The groups of a source in a stream of prompts: of each template the first ``source.reference`` prompts, the next
    as many, and so on, as far as the stream has them; and at least one group of what there is."""
    by_template = is_by_template(source)
    alike: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        alike.setdefault(prompt.template if by_template else "", []).append(prompt)
    size, most = source.reference, groups_of_each(len(alike))
    groups = {
        template: tuple(tuple(some[i * size : (i + 1) * size]) for i in range(_groups_in(len(some), size, most)))
        for template, some in alike.items()
    }
    return Reference(groups, by_template, size)


def reference_of_all(prompts: Sequence[Prompt], source: Mean) -> Reference:
    """All prompts of a task, one group for each template of a mean by template."""
    every = reference_over(prompts, replace(source, reference=len(prompts)))
    return replace(every, whole=True)


def is_by_template(source: Drawn) -> bool:
    """Whether each template has groups of its own."""
    return not isinstance(source, Mean) or source.by_template


def prompts_wanted(source: Drawn, templates: int) -> int:
    """How many prompts of a stream with so many templates a reference takes, if the stream has them."""
    count = templates if is_by_template(source) else 1
    return count * groups_of_each(count) * source.reference


def prompts_had(source: Drawn, info: TaskInfo) -> int:
    """How many prompts the reference of a source has, told without a tokenizer."""
    if not info.lines:
        return prompts_wanted(source, info.templates)
    lines = info.lines if is_by_template(source) else (sum(info.lines),)
    size, most = source.reference, groups_of_each(len(lines))
    return sum(min(number, _groups_in(number, size, most) * size) for number in lines)


def _groups_in(prompts: int, size: int, most: int) -> int:
    return max(1, min(most, prompts // size))


def _label(template: str, index: int) -> str:
    return f"{template} {index}"


# --- what engines are given --------------------------------------------------------------------------


@dataclass(frozen=True)
class References:
    """The reference of every source that some experiments take values from, and the means that are known already."""

    of: Mapping[Drawn, Reference] = field(default_factory=dict[Drawn, Reference])
    means: MeanStore = field(default_factory=MeanStore)

    @property
    def longest(self) -> int:
        """The number of tokens of the longest prompt; 0 without any."""
        groups = (group for reference in self.of.values() for group in reference.labelled())
        return max((len(prompt.tokens) for group in groups for prompt in group.prompts), default=0)


NO_REFERENCES = References()
"""For experiments that take no values from a reference."""


def references_over(prompts: Sequence[Prompt], experiments: Iterable[Experiment]) -> References:
    """References over given prompts in place of a stream that a session draws."""
    sources = {source for experiment in experiments for source in drawn_sources(experiment.world)}
    return References({source: reference_over(prompts, source) for source in sources})


def drawn_sources(world: World) -> tuple[Drawn, ...]:
    """The sources of a world that take values from a reference."""
    return tuple(source for source in _sources(world) if isinstance(source, Drawn))


def _sources(world: World) -> tuple[Source, ...]:
    match world:
        case Ablated(source=source) | Sketched(source=source) | Isolated(source=source):
            return (source,)
        case Patched(under=under):
            return () if under is None else _sources(under)
        case Intervened(sources=sources):
            return tuple(source for source in sources if source is not None)
        case Clean() | Corrupted() | EdgesKept():
            return ()
        case _:
            assert_never(world)
