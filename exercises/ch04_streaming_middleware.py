"""★★★ streaming-middleware: count the bytes, and hold up none.

Write ``counting(app, report)``: return a WSGI application that does what ``app`` does and counts
the bytes of each response, also those that go by ``write()``. When the server closes the response,
call ``report(size)`` once, with what went by until then: also when the client left, when nothing
was asked for, and when the application's own ``close()`` fails, whose error goes on to the server.

For each block of ``app``, empty or not, one leaves at once. Its ``close()`` is called once, and
``start_response`` stays what it was.

The check puts your middleware between the course's server and its applications.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def counting(app: Callable[..., Any], report: Callable[[int], None]) -> Callable[..., Any]:
    """Return ``app`` with a counter around it."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
