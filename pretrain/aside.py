"""One piece of work beside the training, at most one at a time; what goes wrong in it comes out where one asks.

    aside.begin(write, tensors, state);  ... steps ...;  aside.check()  ->  raises what `write` raised

Never starts a second piece before the first is done. A process that is killed, or ends without `wait`, leaves the work
where it is, so what it writes has to be whole or not there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pretrain.errors import SeedbedError


class Aside:
    """One thread at a time."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._raised: BaseException | None = None

    def begin(self, work: Callable[..., None], *arguments: Any) -> None:
        """Waits for the former piece; raises what that raised."""
        self.wait()
        # a daemon: Python would wait at its end for any other, also after a second Ctrl-C
        self._thread = threading.Thread(target=self._do, args=(work, *arguments), name="aside", daemon=True)
        self._thread.start()

    def _do(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001  # raised again by who waits
            self._raised = error

    def check(self) -> None:
        """Raises what the work has raised, if it is over; never waits."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Until the work is done. Raises what it raised, once."""
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised

    def finish(self, say: Callable[[str], None]) -> None:
        """Until the work is done, where another error is on its way already: ours is told."""
        try:
            self.wait()
        except SeedbedError as error:
            say(str(error))
