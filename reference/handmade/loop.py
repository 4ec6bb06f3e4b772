"""An event loop by hand: who waits for what, and whose turn it is.

Coroutines come in; the loop runs each until it awaits a future that is not done, and goes on with
it when somebody has set a result.  Time, sockets and other threads set results: the loop waits for
all of them at one place, ``select``.  Names and meanings are asyncio's, so what is learnt here
holds there.  What a request or a protocol is, is not known here.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import selectors
import socket
import threading
import time as clock
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from .gateway import logger
from .loop_tasks import Future, Task, wake
from .waiting import Waker

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Call = tuple[Callable[..., object], tuple[Any, ...], contextvars.Context]
_here = threading.local()  # the loop that runs in this thread


class Timer:
    """A call that is due at some time, or was called off."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call: Call | None = call

    def cancel(self) -> None:
        """Call it off.  The loop forgets it when its time comes."""
        self.call = None


class Loop:
    """Run what is due, then wait for time, for sockets or for another thread; and again."""

    def __init__(self) -> None:
        self.tasks: set[Task] = set()
        self.current: Task | None = None
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()  # two timers for one moment: the first one first
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self.add_reader(self._waker.reader.fileno(), self._waker.clear)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run until the coroutine ends; return its result.  What still runs then is cancelled."""
        main = self.create_task(coroutine)
        _here.loop = self
        try:
            try:
                self._run_until(main)
            finally:
                left = list(self.tasks)  # after a Ctrl-C our own is among them
                for task in left:
                    task.cancel()
                for task in left:
                    self._run_until(task)
            return main.result()
        finally:
            _here.loop = None
            self._selector.close()
            self._waker.close()

    def _run_until(self, future: Future) -> None:
        """Go round until ``future`` is done."""
        while not future.done():
            self._run_once()

    def _run_once(self) -> None:
        """Wait, unless it is somebody's turn already; then give everybody who is due one turn."""
        self._wait(0 if self._ready else self._until_next_timer())
        now = self.time()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                self._ready.append(timer.call)
        for _ in range(len(self._ready)):  # who becomes ready in this round has the next one
            callback, arguments, context = self._ready.popleft()
            try:
                context.run(callback, *arguments)
            except Exception:
                logger.exception("a callback of the event loop failed")

    def _until_next_timer(self) -> float | None:
        """Return the seconds until somebody is due, None for never."""
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - self.time()) if self._timers else None

    def _wait(self, seconds: float | None) -> None:
        """Wait for sockets: the only place where the thread of this loop sleeps."""
        for key, events in self._selector.select(seconds):
            for event in (READ, WRITE):
                if events & event and event in key.data:
                    self._ready.append(key.data[event])

    # ------------------------------------------------------------ callbacks and time

    def time(self) -> float:
        """Return the time of this loop, in seconds since some moment."""
        return clock.monotonic()

    def call_soon(
        self,
        callback: Callable[..., object],
        *arguments: Any,
        context: contextvars.Context | None = None,
    ) -> None:
        """Call it in the next round."""
        context = contextvars.copy_context() if context is None else context
        self._ready.append((callback, arguments, context))

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in the next round; safe in another thread, and in a signal handler."""
        self.call_soon(callback, *arguments)
        self._waker.wake()

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        """Call it after ``seconds``; the timer that is returned can be cancelled."""
        timer = Timer((callback, arguments, contextvars.copy_context()))
        heapq.heappush(self._timers, (self.time() + seconds, next(self._numbers), timer))
        return timer

    def create_future(self) -> Future:
        """Return a future of this loop."""
        return Future(self)

    def create_task(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        context: contextvars.Context | None = None,
    ) -> Task:
        """Run a coroutine beside all others; its first step comes in the next round."""
        return Task(coroutine, self, context)

    def run_in_executor(
        self, executor: None, function: Callable[..., Any], *arguments: Any
    ) -> Future:
        """Run a function in a thread of its own; return the future of its result.

        For what blocks: the loop goes on meanwhile.  ``executor`` is asyncio's parameter, and None.
        """
        future = self.create_future()

        def work() -> None:
            call: tuple[Callable[[Any], None], Any]
            try:
                call = future.set_result, function(*arguments)
            except BaseException as error:  # whoever awaits it shall have it
                call = future.set_exception, error
            self.call_soon_threadsafe(lambda: None if future.done() else call[0](call[1]))

        threading.Thread(target=work, daemon=True).start()
        return future

    # ------------------------------------------------------------ sockets

    def add_reader(self, fd: int, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in each round in which the socket has something to read."""
        self._watch(fd, READ, (callback, arguments, contextvars.copy_context()))

    def add_writer(self, fd: int, callback: Callable[..., object], *arguments: Any) -> None:
        """Call it in each round in which the socket can take something."""
        self._watch(fd, WRITE, (callback, arguments, contextvars.copy_context()))

    def remove_reader(self, fd: int) -> None:
        """Call nothing any more when the socket can be read."""
        self._watch(fd, READ, None)

    def remove_writer(self, fd: int) -> None:
        """Call nothing any more when the socket can be written."""
        self._watch(fd, WRITE, None)

    def _watch(self, fd: int, event: int, call: Call | None) -> None:
        """Tell the selector what we want to know of a socket."""
        key = self._selector.get_map().get(fd)
        calls: dict[int, Call] = dict(key.data) if key else {}
        calls.pop(event, None)
        if call is not None:
            calls[event] = call
        if key and not calls:
            self._selector.unregister(fd)
        elif key:
            self._selector.modify(fd, sum(calls), calls)
        elif calls:
            self._selector.register(fd, sum(calls), calls)

    async def sock_recv(self, sock: socket.socket, size: int) -> bytes:
        """Return what comes next, at most ``size`` bytes; ``b""`` at the end."""
        while True:
            try:
                return sock.recv(size)
            except BlockingIOError:
                await self._until(sock, self.add_reader, self.remove_reader)

    async def sock_sendall(self, sock: socket.socket, data: bytes) -> None:
        """Send all of it; wait whenever the network takes no more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[sock.send(rest) :]
            except BlockingIOError:
                await self._until(sock, self.add_writer, self.remove_writer)

    async def sock_accept(self, listener: socket.socket) -> tuple[socket.socket, Any]:
        """Return the next client, whose socket does not block."""
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                await self._until(listener, self.add_reader, self.remove_reader)
            else:
                sock.setblocking(False)
                return sock, address

    async def _until(
        self, sock: socket.socket, add: Callable[..., None], remove: Callable[[int], None]
    ) -> None:
        """Wait until a socket can be read, or written."""
        future = self.create_future()
        add(sock.fileno(), wake, future)
        try:
            await future
        finally:
            remove(sock.fileno())


def get_running_loop() -> Loop:
    """Return the loop that runs in this thread; raise RuntimeError when none does."""
    loop: Loop | None = getattr(_here, "loop", None)
    if loop is None:
        raise RuntimeError("no loop by hand runs in this thread")
    return loop
