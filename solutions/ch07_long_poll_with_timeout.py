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
    ### BEGIN SOLUTION
    news: list[str] = []
    changed = threading.Condition()
    waiting = 0

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            with changed:
                news.append(body.decode())
                changed.notify_all()
            start_response("201 Created", [("Content-Length", "0")])
            return []
        after = int(parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[0])
        return reply(wait_for_news(after), start_response)

    def wait_for_news(after: int) -> list[str] | None:
        """Return the news behind ``after``; None when there is no seat."""
        nonlocal waiting
        with changed:
            if len(news) <= after:
                if waiting >= seats:
                    return None
                waiting += 1
                try:
                    changed.wait_for(lambda: len(news) > after, patience)
                finally:
                    waiting -= 1
            return news[after:]

    def reply(found: list[str] | None, start_response: Any) -> Iterable[bytes]:
        if found is None:
            start_response("503 Service Unavailable", [("Retry-After", "1")])
            return [b"all seats are taken\n"]
        if not found:
            start_response("204 No Content", [])
            return []
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(found).encode()]

    return app
    ### END SOLUTION
