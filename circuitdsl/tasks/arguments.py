"""Reading the arguments that a specification gives to a task: ``colored_objects(shots: 0)``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from circuitdsl.language.environment import TaskRef, UnknownName


def refuse_all(ref: TaskRef) -> None:
    """Raise :class:`UnknownName` if ``ref`` has any argument."""
    if ref.arguments:
        raise UnknownName(f"the task {ref.name} takes no arguments, but got {ref}", remedy=f"write: task {ref.name}")


def whole_number(ref: TaskRef, name: str, default: int, low: int, high: int) -> int:
    """The one argument ``name`` of ``ref``, a whole number from ``low`` to ``high``; ``default`` if it is not given.

    Raises :class:`UnknownName` for other arguments, repeated ones and values out of range.
    """
    _check_names(ref, (name,), f"{name}: {default}")
    value = next(iter(_given(ref, name)), default)
    if isinstance(value, str) or not low <= value <= high or value != int(value):
        shown = f'"{value}"' if isinstance(value, str) else f"{value:g}"
        raise UnknownName(
            f"{name} of the task {ref.name} is {shown}, not a whole number from {low} to {high}",
            remedy=f"write: {ref.name}({name}: {default})",
        )
    return int(value)


def words_given(ref: TaskRef, choices: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The arguments of ``ref`` by name, each one of its words in ``choices``; without those that are not given.

    Raises :class:`UnknownName` for other arguments, repeated ones and other values.
    """
    _check_names(ref, choices, ", ".join(f'{name}: "{allowed[0]}"' for name, allowed in choices.items()))
    found = {name: values[0] for name in choices if (values := _given(ref, name))}
    for name, value in found.items():
        if value not in choices[name]:
            raise UnknownName(
                f"{name} of the task {ref.name} is one of {', '.join(choices[name])}, and not {value}",
                known=choices[name],
                remedy=f'write: {ref.name}({name}: "{choices[name][0]}")',
            )
    return {name: str(value) for name, value in found.items()}


def _check_names(ref: TaskRef, known: Collection[str], example: str) -> None:
    """Raise :class:`UnknownName` for an argument of a name that a task does not know."""
    for given, _ in ref.arguments:
        if given not in known:
            called = f"no argument called {given}" if given else "no argument without a name"
            raise UnknownName(
                f"the task {ref.name} has {called}", known=tuple(known), remedy=f"write: {ref.name}({example})"
            )


def _given(ref: TaskRef, name: str) -> tuple[str | float, ...]:
    """The value that is given for an argument, or none. Raises :class:`UnknownName` for several."""
    values = tuple(value for given, value in ref.arguments if given == name)
    if len(values) > 1:
        raise UnknownName(f"{name} is given {len(values)} times in {ref}", remedy="give it once")
    return values
