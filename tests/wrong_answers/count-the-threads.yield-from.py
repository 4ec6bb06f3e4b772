# trips: what must be closed
from __future__ import annotations

import threading
from collections.abc import Iterable
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
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield from self.app(environ, start_response)
        finally:
            with self.lock:
                self.now -= 1
