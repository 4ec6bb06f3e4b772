# trips: a crowd
from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any


class Counted:
    """Count the requests that have a thread."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.now = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Run the application, and count it from here to its end."""
        self.enter()
        try:
            return Blocks(self.app(environ, start_response), self.leave)
        except BaseException:
            self.leave()
            raise

    def enter(self) -> None:
        """One more."""
        with self.lock:
            self.now += 1
            self.most += 1

    def leave(self) -> None:
        """One less."""
        with self.lock:
            self.now -= 1


class Blocks:
    """What the application returned, and a word when the server is done with it."""

    def __init__(self, inner: Iterable[bytes], leave: Any) -> None:
        self.inner = inner
        self.leave = leave

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.inner)

    def close(self) -> None:
        """The server calls this last, whatever happened (PEP 3333, Specification Details)."""
        try:
            if hasattr(self.inner, "close"):
                self.inner.close()
        finally:
            self.leave()
