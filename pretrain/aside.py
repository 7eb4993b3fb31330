"""One piece of work beside the training, at most one at a time; what goes wrong in it comes out where one asks.

    aside.begin(write, tensors, state);  ... steps ...;  aside.check()  ->  raises what `write` raised

Never starts a second piece before the first is done. A process that is killed leaves the work where it is, so what it
writes has to be whole or not there; one that ends by itself waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pretrain.errors import SeedbedError


class Aside:
    """One thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "aside")
        self._work: Future[None] | None = None

    def begin(self, work: Callable[..., None], *arguments: Any) -> None:
        """Waits for the former piece; raises what that raised."""
        self.wait()
        self._work = self._threads.submit(work, *arguments)

    def check(self) -> None:
        """Raises what the work has raised, if it is over; never waits."""
        if self._work is not None and self._work.done():
            self.wait()

    def wait(self) -> None:
        """Until the work is done. Raises what it raised, once."""
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def finish(self, say: Callable[[str], None]) -> None:
        """Until the work is done, where another error is on its way already: ours is told."""
        try:
            self.wait()
        except SeedbedError as error:
            say(str(error))
