"""The errors a user sees, and what each one ends the program with.

    SeedbedError            anything we can explain              exit 1
      ConfigError           you asked for what cannot be         exit 2
      InputError            a file is not what it should be      exit 1
      RunError              the work itself failed               exit 1

An error says what happened with the value, then where, then a hint that is a deed. `str()` gives
`message\\n  hint: ...`, ready for stderr. Never raise these for our own mistakes: that is what `assert` is for.
"""

from __future__ import annotations


class SeedbedError(Exception):
    """A failure that the user can read and mend; `exit_code` is what the command line returns."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)  # both: so that a copy made from `args` (a worker's error) is whole
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ConfigError(SeedbedError, ValueError):
    """What was asked for is impossible or contradicts itself."""

    exit_code = 2


class InputError(SeedbedError, ValueError):
    """A file or folder that was given cannot be read as what it should be."""


class RunError(SeedbedError, RuntimeError):
    """The work began and failed."""
