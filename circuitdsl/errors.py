"""The one kind of error that a user is meant to read: what is wrong, and what to do about it; no more than fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from traceback import walk_tb


def listed(names: Iterable[str], most: int) -> str:
    """The first of some names, each once, and how many more there are: for messages.

    >>> listed(["a", "b", "a", "c", "d"], most=2)
    'a, b and 2 more'
    """
    ordered = list(dict.fromkeys(names))
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def interrupted(error: BaseException) -> bool:
    """Whether an error comes of an interrupt: Python hands on as a RuntimeError what is raised while a class is made,
    and there are many classes in a library that is being imported.
    """
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if isinstance(each, KeyboardInterrupt):
            return True
        seen.add(id(each))
        each = each.__cause__ or each.__context__
    return False


class InputError(Exception):
    """Wrong input (a file, a model, an argument): exit code 2, no traceback."""

    exit_code = 2

    def __init__(self, message: str, remedy: str = ""):
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.remedy}" if self.remedy else self.message


def shown(value: object) -> str:
    """A plain value as it is, and of another its kind: for messages.

    >>> from collections import Counter
    >>> shown("abc"), shown([1]), shown(Counter())
    ("'abc'", 'a list', 'a collections.Counter')
    """
    kind = type(value)
    try:
        written = repr(value) if isinstance(value, str | bytes | Real | None) else ""
    except ValueError:  # a whole number of thousands of digits
        written = ""
    if written:
        return written if len(written) <= _MOST else f"{written[:_MOST]}..."
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


_MOST = 60  # characters of a value in a message


def require(given: object, kinds: type | tuple[type, ...], what: str, remedy: str) -> None:
    """Raise InputError for an object of another kind: ``what`` says who takes what.

    >>> require("0.1", float, "a threshold is a number", "write 0.1")
    Traceback (most recent call last):
    circuitdsl.errors.InputError: a threshold is a number, not '0.1'
    help: write 0.1
    """
    if not isinstance(given, kinds):
        raise InputError(f"{what}, not {shown(given)}", remedy)


class RunError(InputError):
    """Right input on which a model could not be run: exit code 4, no traceback."""

    exit_code = 4


_RUNNING = frozenset({"accelerate", "numpy", "safetensors", "tokenizers", "torch", "transformer_lens", "transformers"})


@contextmanager
def run_errors() -> Iterator[None]:
    """What the libraries that run a model raise meanwhile, as a :class:`RunError`.

    What this package raises is its own mistake, and what a caller's function raises (a progress) is the caller's. An
    interrupt stays one.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if interrupted(error):
            raise KeyboardInterrupt from error
        *_, (frame, _) = walk_tb(error.__traceback__)
        raised_in = str(frame.f_globals.get("__name__", ""))
        if raised_in.partition(".")[0] not in _RUNNING and not _ran_out(error):
            raise
        raise RunError(
            f"the model could not be run: {type(error).__name__}: {' '.join(str(error).split())} (in {raised_in})",
            "try `--engine plain`, a smaller --memory, or another device; what was measured so far is kept",
        ) from error


def _ran_out(error: Exception) -> bool:
    """Whether memory ran out, which torch says in several ways."""
    return isinstance(error, MemoryError) or "memory" in f"{type(error).__name__} {error}".lower()
