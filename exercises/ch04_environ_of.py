"""★ environ-of: from a request to environ.

Given: the engine's ``Request`` event. Its method and target are bytes as they came, its fields are
pairs of bytes in the order of the wire, the names in lower case; version is b"1.0" or b"1.1".

Write ``environ_of(request)``: return a dict with REQUEST_METHOD, PATH_INFO, QUERY_STRING and
SERVER_PROTOCOL, with CONTENT_TYPE and CONTENT_LENGTH where they came and only there, and with an
HTTP_ variable for each other field that may get in. All values are str.

The target is a path with or without a query; other forms need not be known.

The check puts your function into a server, sends requests, and asks an application what it got.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from handmade.events import Request


def environ_of(request: Request) -> dict[str, str]:
    """Return the part of environ that comes from the request."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
