"""An interrupt is one wherever it strikes: also in the middle of the import of a library."""

from __future__ import annotations

import pytest
import typer

from circuitdsl.cli.app import EXIT_INTERRUPTED, _told_endings
from circuitdsl.errors import InputError, interrupted, run_errors
from circuitdsl.language.environment import TaskRef
from circuitdsl.models.loading import told
from circuitdsl.tasks import registry


class Struck:
    """Where a class has one of these, an interrupt comes while the class is made."""

    def __set_name__(self, owner, name):
        raise KeyboardInterrupt


def make_a_class():
    """Before Python 3.12 what is raised is a RuntimeError."""

    class Field:
        struck = Struck()

    return Field


@pytest.mark.parametrize("handler", [run_errors, lambda: told("mini", None)], ids=["running", "opening"])
def test_an_interrupt_while_a_class_is_made_is_no_error_of_a_library(handler):
    with pytest.raises(KeyboardInterrupt), handler():
        make_a_class()


def test_nor_is_it_one_of_a_task():
    with pytest.raises(KeyboardInterrupt):
        registry._asked(TaskRef("ioi"), make_a_class)


def test_the_command_ends_as_interrupted(capsys):
    with pytest.raises(typer.Exit) as ended, _told_endings():
        make_a_class()
    assert ended.value.exit_code == EXIT_INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_other_errors_are_none():
    try:
        raise InputError("wrong") from RuntimeError("torn")
    except InputError as error:
        assert not interrupted(error)
    with pytest.raises(InputError), _told_endings():
        raise InputError("wrong")
