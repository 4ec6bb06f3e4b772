"""★★★ long-poll-with-timeout: long polling that a pool of threads survives.

Write ``make_app(patience, seats)``, which returns a WSGI application.

``POST /news`` appends the body, decoded as UTF-8, to the news: 201. ``GET /news?after=N`` asks for
the news behind the first N: 200 with ``Content-Type: application/json`` and a list of texts as soon
as there are any, 204 without a body when none came for ``patience`` seconds.

At most ``seats`` requests may wait at a time. One more is answered with 503 at once, and a
``Retry-After`` in seconds. A request whose news are there already needs no seat.

The check runs it with a pool of a few threads, lets several wait, posts, and lets too many wait.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs


def make_app(patience: float, seats: int) -> Any:
    """Return the application."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
