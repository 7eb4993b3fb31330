"""What can go wrong, told to the one who can mend it.

    SeedbedError
    ├── ConfigError   you asked wrongly: exit code 2
    ├── InputError    what was to be read cannot be read: exit code 1
    └── RunError      the work failed (no disk, no memory, a lost worker): exit code 1

Each carries the sentence, and a `hint` that is a deed. Never raised for our own mistakes: those are assertions.
"""

from __future__ import annotations


class SeedbedError(Exception):
    """An error that the user can mend; `hint` says how."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both, so that it survives the way from a worker to the parent
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ConfigError(SeedbedError):
    """The config or the command line asks for something that cannot be."""

    exit_code = 2


class InputError(SeedbedError):
    """A file of the user's cannot be read, or holds something else than it should."""


class RunError(SeedbedError):
    """The work itself failed: disk, memory, a worker that died, another run in the same folder."""
