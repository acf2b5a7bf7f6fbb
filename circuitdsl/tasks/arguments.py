"""Reading the arguments that a specification gives to a task: ``colored_objects(shots: 0)``."""

from __future__ import annotations

from circuitdsl.language.environment import TaskRef, UnknownName


def refuse_all(ref: TaskRef) -> None:
    """Raise :class:`UnknownName` if ``ref`` has any argument."""
    if ref.arguments:
        raise UnknownName(f"the task {ref.name} takes no arguments, but got {ref}", remedy=f"write: task {ref.name}")


def whole_number(ref: TaskRef, name: str, default: int, low: int, high: int) -> int:
    """The one argument ``name`` of ``ref``, a whole number from ``low`` to ``high``; ``default`` if it is not given.

    Raises :class:`UnknownName` for other arguments, repeated ones and values out of range.
    """
    value = _the_one(ref, name, f"{ref.name}({name}: {default})")
    value = default if value is None else value
    if isinstance(value, str) or not low <= value <= high or value != int(value):
        shown = f'"{value}"' if isinstance(value, str) else f"{value:g}"
        raise UnknownName(
            f"{name} of the task {ref.name} is {shown}, not a whole number from {low} to {high}",
            remedy=f"write: {ref.name}({name}: {default})",
        )
    return int(value)


def one_of(ref: TaskRef, name: str, choices: tuple[str, ...]) -> str | None:
    """The one argument ``name`` of ``ref``, one of some words; None if it is not given.

    Raises :class:`UnknownName` for other arguments, repeated ones and other values.
    """
    example = f'{ref.name}({name}: "{choices[0]}")'
    value = _the_one(ref, name, example)
    if value is not None and value not in choices:
        raise UnknownName(
            f"{name} of the task {ref.name} is one of {', '.join(choices)}, and not {value}",
            known=choices,
            remedy=f"write: {example}",
        )
    return None if value is None else str(value)


def _the_one(ref: TaskRef, name: str, example: str) -> str | float | None:
    """What is given for an argument of a task that has no other; None if nothing is."""
    for given, _ in ref.arguments:
        if given != name:
            called = f"no argument called {given}" if given else "no argument without a name"
            raise UnknownName(f"the task {ref.name} has {called}", known=(name,), remedy=f"write: {example}")
    values = [value for _, value in ref.arguments]
    if len(values) > 1:
        raise UnknownName(f"{name} is given {len(values)} times in {ref}", remedy="give it once")
    return values[0] if values else None
