"""Time for coroutines on the loop by hand: ``await sleep(1)``, and ``async with timeout(1)``."""

from __future__ import annotations

from .loop import get_running_loop
from .loop_tasks import Cancelled, Task, wake


async def sleep(seconds: float) -> None:
    """Wait some time, while others run."""
    loop = get_running_loop()
    future = loop.create_future()
    timer = loop.call_later(seconds, wake, future)
    try:
        await future
    finally:
        timer.cancel()


class timeout:
    """End what runs in an ``async with`` block after ``seconds``, with TimeoutError."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False

    async def __aenter__(self) -> timeout:
        """Start the clock."""
        loop = get_running_loop()
        task = loop.current
        assert task is not None  # an async with stands in a coroutine, and a task runs that
        self._timer = loop.call_later(self.seconds, self._expire, task)
        return self

    def _expire(self, task: Task) -> None:
        """Throw the task out of the block."""
        self.expired = True
        task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Stop the clock; tell a cancel of ours from one that somebody else asked for."""
        self._timer.cancel()
        if self.expired and kind is Cancelled:
            raise TimeoutError(f"not done within {self.seconds:g} s") from None
