# trips: an error in the cleanup of a late block
from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any


class Cancelled(BaseException):
    """Raised in a coroutine to end it."""


class Future:
    """A result that is not there yet, or an error."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.done, self.result = loop, False, None
        self.error: BaseException | None = None
        self.callbacks: list[Callable[[Any], object]] = []

    def __await__(self) -> Generator[Future, None, Any]:
        """Yield until done; return the result, or raise the error."""
        if not self.done:
            yield self
        if self.error is not None:
            raise self.error
        return self.result

    def finish(self, result: Any, error: BaseException | None = None) -> None:
        """Be done."""
        self.done, self.result, self.error = True, result, error
        for callback in self.callbacks:
            self.loop.call_soon(callback, self)
        self.callbacks.clear()


class Task(Future):
    """A coroutine that the loop runs."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: Loop) -> None:
        super().__init__(loop)
        self.coroutine = coroutine
        self.waits_for: Future | None = None
        self.cancelling = False
        loop.call_soon(self.step)

    def step(self, awaited: Future | None = None) -> None:
        """Run it to its next wait, or to its end."""
        self.waits_for, self.loop.current = None, self
        try:
            future = self.resume()
        except StopIteration as end:
            self.finish(end.value)
        except (Exception, Cancelled) as error:
            self.finish(None, error)
        else:
            self.waits_for = future
            future.callbacks.append(self.step)
        finally:
            self.loop.current = None

    def resume(self) -> Future:
        """Let the coroutine go on; return the future that it waits for next."""
        if self.cancelling:
            self.cancelling = False
            future: Future = self.coroutine.throw(Cancelled())
        else:
            future = self.coroutine.send(None)
        return future

    def cancel(self) -> bool:
        """Raise Cancelled where it waits; False when it has ended."""
        if self.done:
            return False
        self.cancelling = True
        if self.waits_for is not None and not self.waits_for.done:
            self.waits_for.callbacks.remove(self.step)
            self.waits_for = None
            self.loop.call_soon(self.step)
        return True


class Timeout:
    """An ``async with`` block that ends in time."""

    def __init__(self, loop: Loop, seconds: float) -> None:
        self.loop, self.seconds = loop, seconds

    async def __aenter__(self) -> Timeout:
        """Start the clock."""
        self.expired = False
        self.task = self.loop.current
        self.timer = self.loop.call_later(self.seconds, self.expire)
        return self

    def expire(self) -> None:
        """Throw the task out of the block."""
        self.expired = True
        assert self.task is not None
        self.task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Stop the clock, and say what it was."""
        self.timer.cancel()
        if self.expired:
            raise TimeoutError(f"not done within {self.seconds:g} s") from None


class Timer:
    """A call that is due at some time, or was called off."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def cancel(self) -> None:
        """Call it off."""
        self.call = lambda: None


class Loop:
    """Run what is due, wait for time, and again."""

    def __init__(self) -> None:
        self.current: Task | None = None
        self.ready: deque[Callable[[], object]] = deque()
        self.timers: list[tuple[float, int, Timer]] = []
        self.numbers = itertools.count()

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in the next round."""
        self.ready.append(partial(callback, *arguments))

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        """Call it after ``seconds``; the timer that is returned can be cancelled."""
        timer = Timer(partial(callback, *arguments))
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.numbers), timer))
        return timer

    def create_task(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Run a coroutine beside the others."""
        return Task(coroutine, self)

    def timeout(self, seconds: float) -> Timeout:
        """Return a block for ``async with`` that ends after ``seconds``."""
        return Timeout(self, seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait some time, while others run."""
        future = Future(self)
        self.call_later(seconds, future.finish, None)
        await future

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run until the coroutine ends; return its result, or raise its error."""
        main = self.create_task(coroutine)
        while not main.done:
            if not self.ready:  # a loop without sockets can sleep like this
                time.sleep(max(0.0, self.timers[0][0] - time.monotonic()))
            while self.timers and self.timers[0][0] <= time.monotonic():
                self.call_soon(heapq.heappop(self.timers)[2].call)
            for _ in range(len(self.ready)):
                self.ready.popleft()()
        if main.error is not None:
            raise main.error
        return main.result
