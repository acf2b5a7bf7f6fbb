"""Settings for every test: no hub, and one thread, since several test processes on two cores only get in each
other's way (the variables must stand before numpy and torch are imported)."""

from __future__ import annotations

import gc
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

for variable, value in (
    ("HF_HUB_OFFLINE", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OMP_WAIT_POLICY", "PASSIVE"),
):
    os.environ.setdefault(variable, value)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from cpu_limit import pytest_addoption, pytest_runtest_protocol  # noqa: E402, F401
from installed_wheel import installed, wheel  # noqa: E402, F401
from warm import serving  # noqa: E402

# Examples run real models on busy machines: how long one takes says nothing. Continuous integration tries the same
# examples every time, so that a failure there belongs to the change; people at work try new ones.
settings.register_profile("real", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("real")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """What modules and libraries hold is held to the end: the garbage collector, which would look through half a
    million objects again and again, takes a fifth of the time of imports otherwise. Later it looks seldom: at every
    700 new objects, as Python has it, it took 4% of the time of tests, most of it among the models that they hold."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000)
        gc.enable()


WRITTEN = ("ioi", "colored_objects", "induction", "greater_than", "acronyms", "agreement", "pronouns")
"""Tasks that read no files."""


@pytest.fixture(scope="session", autouse=True)
def prompts_are_drawn_once() -> Iterator[None]:
    """Sessions draw the prompts of a shipped task once for each vocabulary, however many models are opened.

    A tenth of the suite's time went into drawing the same prompts again. What is drawn depends on the arguments alone
    and cannot be changed; the tests of tasks, which say so, call tasks themselves and never come here.
    """
    from circuitdsl.engine import session

    draw = session.draw
    tokenizers: dict[str, Any] = {}

    @cache
    def drawn(task, vocabulary: str, count: int, seed: int, bos: bool):
        return draw(task, tokenizers[vocabulary], count, seed, bos)

    def once(task, tokenizer, count: int, seed: int, bos: bool):
        if task.name not in WRITTEN or not getattr(tokenizer, "is_fast", False):
            return draw(task, tokenizer, count, seed, bos)
        special = (tokenizer.bos_token_id, tokenizer.unk_token_id, tokenizer.split_special_tokens)
        vocabulary = f"{special} {tokenizer.backend_tokenizer.to_str()}"
        tokenizers[vocabulary] = tokenizer
        return drawn(task, vocabulary, count, seed, bos)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "draw", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def opened_models() -> Iterator[Any]:
    """Checks and sweeps that name a model which ships or is planted get the open model that an earlier one got.

    An eighth of the suite's time went into opening the same models again. The tests of opening call it themselves and
    never come here.
    """
    from circuitdsl.check import open_models
    from opened_once import OpenedOnce

    models = OpenedOnce(open_models.open_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_models, "open_model", models.open)
        yield models


@pytest.fixture(scope="module", autouse=True)
def models_of_a_module(opened_models: Any) -> Iterator[None]:
    """Those in use are of one module; what its fixtures do at their end is looked at last."""
    yield
    opened_models.require_unchanged()
    opened_models.used.clear()


@pytest.fixture(autouse=True)
def models_are_left_as_they_were(opened_models: Any, models_of_a_module: None) -> Iterator[None]:
    """A test that leaves an open model changed fails."""
    yield
    opened_models.require_unchanged()


@pytest.fixture(scope="session", autouse=True)
def commands_are_made_once() -> Iterator[None]:
    """The command line is made of its functions once, and not at every call: a process has one call, and tests have
    hundreds."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_kept_unasked() -> Iterator[None]:
    """A check in a test measures: what another test measured must not stand in for what this one tests."""
    from circuitdsl.engine import store

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "usual_store", lambda: None)
        yield


WARM = pytest.StashKey[tuple[str, ...]]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """The workers of a run begin as copies of one Python that has the libraries, and use the same one for processes."""
    held = ExitStack()
    config.add_cleanup(held.close)
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="circuitdsl-test-"))
    config.stash[WARM] = held.enter_context(serving(Path(folder)))
    for spec in specs:
        if spec.popen and not spec.python:
            spec.python = shlex.join(config.stash[WARM])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of it."""
    node.workerinput["warm"] = [*node.config.stash[WARM]]


@pytest.fixture(scope="session")
def warm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """What stands before ``-m MODULE`` in a command, in place of a Python that has to import torch first (warm.py)."""
    given = getattr(request.config, "workerinput", {}).get("warm")
    if given:
        yield tuple(given)
        return
    with serving(tmp_path_factory.mktemp("warm")) as command:
        yield command
