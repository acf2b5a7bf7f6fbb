"""The one kind of error that a user is meant to read: what is wrong, and what to do about it."""

from __future__ import annotations


class InputError(Exception):
    """Wrong input (a file, a model, an argument): exit code 2, no traceback."""

    def __init__(self, message: str, remedy: str = ""):
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.remedy}" if self.remedy else self.message
