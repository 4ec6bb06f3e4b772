"""The contract of an ASGI server that speaks HTTP/2, over the wire, by prior knowledge.

A case is given an object ``server`` as in the contract ``asgi``: ``server.serve(app)`` is a context
manager that gives ``(host, port)``.  It talks through an ``Http2Wire``.  What not every server
offers, ``server.provides`` has:

==================  =================================================================
timeouts            ``serve(app, impatient=True)`` waits for nobody over half a second
graceful            leaving the context lets the requests that run come to their end
trailers            the extension ``http.response.trailers``
early hints         the extension ``http.response.early_hint``
defences            what no client does that means well ends the connection:
                    ENHANCE_YOUR_CALM (RFC 9113 §10.5)
small windows       ``serve(app, stream_window=N)``: what a client may send unread
==================  =================================================================
"""

from __future__ import annotations

import importlib
from typing import Any

from . import Case, cases

PARTS = ("requests", "responses", "flow", "ends", "errors", "floods")

for part in PARTS:
    importlib.import_module(f"{__package__}.http2_{part}")


def cases_for(server: Any) -> list[Case]:
    """Return the cases that apply to a server."""
    return [each for each in cases("http2") if each.needs <= server.provides]
