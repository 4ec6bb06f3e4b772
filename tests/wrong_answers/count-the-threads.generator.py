# trips: closed before the first block
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
            return self.blocks(self.app(environ, start_response))
        except BaseException:
            self.leave()
            raise

    def blocks(self, inner: Iterable[bytes]) -> Iterator[bytes]:
        """Give the blocks, and count down behind them."""
        try:
            yield from inner
        finally:
            try:
                if hasattr(inner, "close"):
                    inner.close()
            finally:
                self.leave()

    def enter(self) -> None:
        """One more."""
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        """One less."""
        with self.lock:
            self.now -= 1
