"""★ scope-of: build the scope of a request.

Write ``scope_of(request, client, server)``. ``request`` is what the engine gives, all of it bytes:
``request.method``, ``request.target``, ``request.version`` (``b"1.1"``), and ``request.fields``,
pairs whose names are in lower case already. ``client`` and ``server`` are pairs of host and port.
Return the scope, a dict with these keys:

- ``type`` and ``scheme``, both "http"; ``root_path``, the empty text
- ``asgi``: a dict with ``version`` "3.0" and ``spec_version`` "2.5"
- ``http_version`` and ``method`` as text
- ``path``: text, percent-decoded as UTF-8; bytes that are no UTF-8 become U+FFFD
- ``raw_path``: the path's bytes as they came
- ``query_string``: the bytes behind the first question mark
- ``headers``: a new list of the fields
- ``client`` and ``server``

The target is a path, with a query or without. The check calls your function, then lets a server use
it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from handmade.events import Request


def scope_of(
    request: Request, client: tuple[str, int] | None, server: tuple[str, int] | None
) -> dict[str, Any]:
    """Return what an ASGI application is told about a request."""
    ### BEGIN SOLUTION
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": request.version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(raw_path.decode("latin-1"), errors="replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.fields),
        "client": client,
        "server": server,
    }
    ### END SOLUTION
