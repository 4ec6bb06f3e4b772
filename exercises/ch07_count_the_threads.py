"""★★ count-the-threads: how many threads are inside an application?

Write the class ``Counted(app)``, a WSGI middleware: it is called as an application and does what
``app`` does. ``now`` is the number of requests that have a thread at this moment, ``most`` is the
largest number so far.

A thread is spent from the call of ``app`` until the server is done with what it returned: after the
last block, after an error, or when the client leaves in between. ``close()`` of the inner iterable
must be called as before.

The check streams, looks for ``close()``, raises, leaves early, and lets many requests in at once.
"""

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
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
