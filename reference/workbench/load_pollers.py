"""Who is ready: `select.epoll`, and the same surface where there is none.

In come descriptors and the events to watch them for, out come those that are ready. It refuses to
know what is read or written.
"""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Iterable
from typing import Protocol

IN, OUT = 1, 4  # EPOLLIN and EPOLLOUT, POLLIN and POLLOUT: the same numbers on every system

_COARSE = 0.01  # seconds: from here on epoll's own milliseconds are fine enough


class Poller(Protocol):
    """What we use of `select.epoll`."""

    def register(self, fd: int, events: int, /) -> None: ...
    def modify(self, fd: int, events: int, /) -> None: ...
    def unregister(self, fd: int, /) -> None: ...
    def wait(self, timeout: float, /) -> Iterable[tuple[int, int]]: ...


class EpollPoller:
    """`select.epoll` with time-outs finer than its milliseconds."""

    def __init__(self) -> None:
        self._epoll = epoll = select.epoll()
        self._only_me = [epoll.fileno()]
        self.register, self.modify = epoll.register, epoll.modify
        self.unregister = epoll.unregister

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Give the ready descriptors with their events, at most `timeout` seconds from now."""
        if timeout >= _COARSE:
            return self._epoll.poll(timeout)
        # epoll counts in milliseconds, so an arrival due in 0.2 ms would come 0.8 ms too late. An
        # epoll is itself a descriptor, and select counts in microseconds.
        select.select(self._only_me, (), (), timeout)
        return self._epoll.poll(0)


class SelectorPoller:
    """The same surface where there is no epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, events: int) -> None:
        """Watch a descriptor for IN, OUT or both."""
        self._selector.register(fd, _selector_events(events))

    def modify(self, fd: int, events: int) -> None:
        """Watch a descriptor for other events than before."""
        self._selector.modify(fd, _selector_events(events))

    def unregister(self, fd: int) -> None:
        """Watch a descriptor no longer."""
        self._selector.unregister(fd)

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Give the ready descriptors with their events, at most `timeout` seconds from now."""
        if not self._selector.get_map():  # Windows refuses to select on nothing
            time.sleep(timeout)
            return []
        return [
            (key.fd, IN * bool(ready & selectors.EVENT_READ) | OUT * bool(ready & 2))
            for key, ready in self._selector.select(timeout)
        ]


def _selector_events(events: int) -> int:
    read = selectors.EVENT_READ if events & IN else 0
    return read | (selectors.EVENT_WRITE if events & OUT else 0)
