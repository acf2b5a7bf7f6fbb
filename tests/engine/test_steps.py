"""A call in steps: whoever runs which of them, together they answer what the whole call does, to the bit."""

from __future__ import annotations

from random import Random

import pytest
from random_models import DATA, Draw, architecture, prompts

from circuitdsl.engine.cluster.course import MANY, MOST_LOSSES, Course
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import References, references_over
from circuitdsl.engine.steps import Answered, Part, steps_of
from circuitdsl.errors import RunError
from circuitdsl.measures.experiments import Clean, Experiment, Hit
from circuitdsl.measures.measurement import Array, Failure

STACK = 30_000  # bytes: several stacks


def told(answer: Array | Failure) -> object:
    return answer if isinstance(answer, Failure) else answer.tobytes()


@pytest.mark.parametrize("kind", [FastEngine, PlainEngine])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_steps_on_three_engines_answer_what_one_call_does(kind: type[FastEngine] | type[PlainEngine], seed: int):
    model = architecture("gpt2")
    some = [Experiment(DATA, *pair) for pair in Draw(model.geometry, seed).experiments(40)]
    experiments, asked = list(dict.fromkeys(some)), prompts(8, seed)
    references = references_over(prompts(30, 1), experiments)
    engine = FastEngine(model, memory=STACK) if kind is FastEngine else kind(model)
    whole = engine.run(DATA, asked, 0, 8, experiments, references)
    workers = [steps_of(kind(model), DATA, asked, experiments, references, STACK) for _ in range(3)]
    (total,) = {worker.total for worker in workers}
    assert total > 10
    parts = [Part(first, min(first + 3, total)) for first in range(0, total, 3)]
    Random(seed).shuffle(parts)
    found: Answered = {}
    for number, part in enumerate(parts):
        some_answers = workers[number % 3].run(part)
        assert not found.keys() & some_answers.keys()
        found |= some_answers
    assert {e: told(answer) for e, answer in found.items()} == {e: told(answer) for e, answer in whole.items()}


def test_more_batches_than_one_are_one_step_with_the_memory_of_the_call():
    model, asked = architecture("gpt2"), prompts(8, 0)
    some = [Experiment(DATA, *pair) for pair in Draw(model.geometry, 0).experiments(40)]
    experiments = list(dict.fromkeys(some))

    def references() -> References:
        """Each engine makes its own means."""
        return references_over(prompts(30, 1), experiments)

    steps = FastEngine(model, tokens=20).in_steps(DATA, asked, experiments, references(), STACK)
    assert steps.total == 1
    whole = FastEngine(model, tokens=20, memory=STACK).run(DATA, asked, 0, 8, experiments, references())
    found = steps.run(Part(0, 1))
    assert {e: told(answer) for e, answer in found.items()} == {e: told(answer) for e, answer in whole.items()}


# --- how far a call is --------------------------------------------------------------------------------


def answer(step: int) -> Answered:
    return {Experiment(DATA, Clean(), Hit(step)): Failure(str(step))}


def test_the_first_step_comes_by_itself_and_the_rest_when_it_is_known_how_many_there_are():
    course = Course(1)
    assert course.next(4) == Part(0, 1)
    assert course.next(4) is None
    assert list(course.take(Part(0, 0), {}, 6)) == []
    assert [course.next(4), course.next(4), course.next(4)] == [Part(1, 5), Part(5, 6), None]


def test_with_many_experiments_all_workers_plan_at_once():
    few, many = Course(MANY - 1), Course(MANY)
    assert few.due(1, False) == many.due(1, False) == Part(0, 1)
    assert (few.due(1, False), many.due(1, False), many.due(1, True)) == (None, Part(0, 0), None)


def test_answers_are_told_in_the_order_of_the_steps():
    course = Course(1, total=3)
    parts = [part for _ in range(3) if (part := course.next(1))]
    assert list(course.take(parts[2], answer(2), 3)) == []
    assert list(course.take(parts[0], answer(0), 3)) == [answer(0)]
    assert not course.done
    assert list(course.take(parts[1], answer(1), 3)) == [answer(1), answer(2)]
    assert course.done and course.answered == answer(0) | answer(1) | answer(2)


def test_what_is_lost_comes_first_and_is_counted():
    course = Course(1, total=8)
    lost = course.next(2)
    assert lost is not None
    course.lose(lost)
    course.lose(Part(0, 0))  # planning alone is no loss
    assert course.next(2) == lost
    list(course.take(lost, answer(0), 8))
    assert (course.again, course.repeated) == (2, 1)
    assert course.next(2) == Part(2, 4)


def test_steps_that_end_every_worker_are_given_up():
    course = Course(1, total=8)
    for _ in range(MOST_LOSSES):
        assert course.next(2) == Part(0, 2)
        course.lose(Part(0, 2))
    with pytest.raises(RunError, match="ended while they ran the same 2 steps"):
        course.lose(Part(0, 2))


def test_workers_that_cut_a_call_otherwise_are_a_mistake():
    course = Course(1)
    list(course.take(Part(0, 1), answer(0), 8))
    with pytest.raises(AssertionError, match="into 8 steps, and another into 9"):
        list(course.take(Part(1, 2), answer(1), 9))
