# trips: four who wait
from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs


def make_app(patience: float, seats: int) -> Any:
    """Return the application."""
    news: list[str] = []
    changed = threading.Condition()
    waiting = 0

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            with changed:
                news.append(body.decode())
                changed.notify()
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
