# trips: a plus in the path
from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from handmade.events import Request


def scope_of(
    request: Request, client: tuple[str, int] | None, server: tuple[str, int] | None
) -> dict[str, Any]:
    """Return what an ASGI application is told about a request."""
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": request.version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": unquote_plus(raw_path.decode("latin-1"), errors="replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.fields),
        "client": client,
        "server": server,
    }
