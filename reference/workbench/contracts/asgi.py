"""The contract of an ASGI server, over the wire.

A case is given an object ``server`` and asks one thing of it: ``server.serve(app)`` is a context
manager that gives ``(host, port)`` while ``app`` is served there, and stops the server gracefully
at its end.  The case brings the application, talks raw bytes through a ``Wire``, and compares what
both sides saw.  ``server.patience``, when there, is the number of seconds for one answer, and
``server.hurry`` what it takes at most to cut its clients off, if it is one that does.  The
applications run on any loop that ``asgi_probes.running_loop`` knows.

Not every server offers everything, so some cases state what they need, and are left out for a
server whose set ``server.provides`` has not all of it:

==================  =================================================================
timeouts            ``serve(app, impatient=True)`` waits for nobody over half a second:
                    for no client, and for no lifespan
graceful            leaving the context lets the requests that run come to their end
half-close          a client that has closed its sending side still gets its answer
root path           ``serve(app, root_path="/mounted")``
lifespan            the application is told of start-up and shutdown; ``serve`` raises
                    when it cannot start up
state               the lifespan scope has a ``state``, of which requests get a copy
trailers            the extension ``http.response.trailers`` (on HTTP/1.1)
early hints         the extension ``http.response.early_hint`` (on HTTP/1.1)
cpu                 ``server.cpu()`` is the CPU time that the server has used, in seconds
log                 ``serve(app, log=lines)`` appends what the server logs, from INFO on
watchdog            ``serve(app, log=lines, slow_callback=0.1)`` logs who holds the loop
websocket           the server speaks WebSocket; with ``impatient`` it pings after half a second
==================  =================================================================
"""

from __future__ import annotations

import importlib
from typing import Any

from . import Case, cases

PARTS = (
    *("scope", "receive", "disconnect", "send", "mistakes", "failures", "clients", "lifespan"),
    "websocket",
)

for part in PARTS:  # in the order of the chapters, so that the cases stand in that order too
    importlib.import_module(f"{__package__}.asgi_{part}")


def cases_for(server: Any) -> list[Case]:
    """Return the cases that apply to a server."""
    return [each for each in cases("asgi") if each.needs <= server.provides]
