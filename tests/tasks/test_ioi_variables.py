"""IOI's variables: on its counterfactual one of them alone has another value, and the answer is what it alone leads to.

The values are read off the tokens, not taken from the task.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks import describe, open_task
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Read:
    """What a prompt says: the names in the order in which they come first, and which of them comes again."""

    first: int
    second: int
    repeated: int

    @classmethod
    def of(cls, prompt: Prompt, tokens: tuple[int, ...]) -> Read:
        (io,), (s1,), (s2,) = (prompt.positions[name] for name in ("IO", "S1", "S2"))
        return cls(tokens[min(io, s1)], tokens[max(io, s1)], tokens[s2])

    @property
    def position(self) -> int:
        """Where the repeated name stood first: 0 or 1; -1 nowhere."""
        names = (self.first, self.second)
        return names.index(self.repeated) if self.repeated in names else -1

    @property
    def once(self) -> int:
        """The name that is not repeated."""
        return self.second if self.position == 0 else self.first


def by_position(here: Read, there: Read) -> int:
    """The answer if it is the name that does not stand where the repeated one does, and only that place is known."""
    return here.second if there.position == 0 else here.first


def by_token(here: Read, there: Read) -> int:
    """The answer if it is the name that is not the repeated one, and only that one is known."""
    return here.second if here.first == there.repeated else here.first


def by_answer(here: Read, there: Read) -> int:
    """The answer if it is the name that is not repeated, and that name is known."""
    return there.once


ANSWERS = {"S_position": by_position, "S_token": by_token, "IO_token": by_answer}
VALUES = {
    "S_position": lambda read: read.position,
    "S_token": lambda read: read.repeated,
    "IO_token": lambda read: read.once,
}


@pytest.fixture(scope="module")
def prompts(mini):
    return open_task(TaskRef("ioi")).draw(mini, 90, seed=2, bos=False).prompts


@pytest.mark.parametrize("variable", describe(TaskRef("ioi")).variables, ids=lambda variable: variable.name)
def test_a_variable_has_another_value_and_leads_to_what_is_predicted(prompts, variable):
    for prompt in prompts:
        here = Read.of(prompt, prompt.tokens)
        there = Read.of(prompt, prompt.counterfactuals[variable.counterfactual])
        assert VALUES[variable.name](there) != VALUES[variable.name](here)
        assert prompt.predicted[variable.name] == ANSWERS[variable.name](here, there) != prompt.answer
        assert here.once == prompt.answer


@pytest.mark.parametrize(("variable", "others"), [("S_position", ["S_token", "IO_token"]), ("S_token", ["S_position"])])
def test_other_variables_keep_their_values_or_lead_elsewhere(prompts, variable, others):
    """Only ``S_token`` cannot be changed by itself: another name is repeated, so another is not. What that leads to is
    none of the two names of the prompt, so the predicted answers differ."""
    infos = {info.name: info for info in describe(TaskRef("ioi")).variables}
    for prompt in prompts:
        here = Read.of(prompt, prompt.tokens)
        there = Read.of(prompt, prompt.counterfactuals[infos[variable].counterfactual])
        assert all(VALUES[other](there) == VALUES[other](here) for other in others)
        if variable == "S_token":
            assert by_answer(here, there) not in (here.first, here.second)
