# trips: all who are due
from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from typing import Any


class Future:
    """A result that is not there yet."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.done, self.result = loop, False, None
        self.callbacks: list[Callable[[Any], object]] = []

    def __await__(self) -> Generator[Future, None, Any]:
        """Yield until done."""
        if not self.done:
            yield self
        return self.result

    def set_result(self, result: Any) -> None:
        """Be done."""
        self.done, self.result = True, result
        for callback in self.callbacks:
            self.loop.call_soon(callback, self)


class Task(Future):
    """A coroutine that the loop runs."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: Loop) -> None:
        super().__init__(loop)
        self.coroutine = coroutine
        loop.call_soon(self.step)

    def step(self, awaited: Future | None = None) -> None:
        """Run it to its next wait, or to its end."""
        try:
            future = self.coroutine.send(None)
        except StopIteration as end:
            self.set_result(end.value)
        else:
            future.callbacks.append(self.step)


class Loop:
    """Run what is due, wait for sockets and for time, and again."""

    def __init__(self) -> None:
        self.ready: deque[Callable[[], object]] = deque()
        self.timers: list[Any] = []
        self.numbers = itertools.count()
        self.selector: Any = DefaultSelector()

    def time(self) -> float:
        """Return the time, in seconds since some moment."""
        return time.monotonic()

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in the next round."""
        self.ready.append(partial(callback, *arguments))

    def add_reader(self, fd: int, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in each round in which the socket has something to read."""
        self.selector.register(fd, EVENT_READ, partial(callback, *arguments))

    def remove_reader(self, fd: int) -> None:
        """Call nothing any more."""
        self.selector.unregister(fd)

    def create_task(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Run a coroutine beside the others."""
        return Task(coroutine, self)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run until the coroutine ends."""
        main = self.create_task(coroutine)
        while not main.done:
            self.run_once()
        return main.result

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it after ``seconds``."""
        call = partial(callback, *arguments)
        heapq.heappush(self.timers, (self.time() + seconds, next(self.numbers), call))

    def run_once(self) -> None:
        """Wait, and give everybody who is due one turn."""
        timeout = None
        if self.ready:
            timeout = 0.0
        elif self.timers:
            timeout = max(0.0, self.timers[0][0] - self.time())
        for key, _ in self.selector.select(timeout):
            self.ready.append(key.data)
        if self.timers and self.timers[0][0] <= self.time():
            self.ready.append(heapq.heappop(self.timers)[2])
        for _ in range(len(self.ready)):
            self.ready.popleft()()

    async def sleep(self, seconds: float) -> None:
        """Wait some time, while others run."""
        future = Future(self)
        self.call_later(seconds, future.set_result, None)
        await future
