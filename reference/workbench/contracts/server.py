"""The contract of a WSGI server, over the wire.

A case is given an object ``server`` and asks one thing of it: ``server.serve(app)`` is a context
manager that gives ``(host, port)`` while ``app`` is served there, and stops the server gracefully
at its end.  The case brings the application, talks raw bytes through a ``Wire``, and compares what
both sides saw.  ``server.patience``, when there, is the number of seconds for one answer.

Not every server offers everything, so some cases state what they need, and are left out for a
server whose set ``server.provides`` has not all of it:

==================  =================================================================
threads             several requests run at the same time
timeouts            ``serve(app, impatient=True)`` waits for no client over half a second
graceful            leaving the context lets the requests that run come to their end
script name         ``serve(app, script_name="/mounted")``
file wrapper        ``wsgi.file_wrapper`` is in environ
streamed upload     the application runs before a long body has arrived
keep-alive in 1.0   a connection of HTTP/1.0 is kept when the client asks for it
==================  =================================================================

An application that must not be wrapped by ``wsgiref.validate`` carries ``raw = True``.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import Case, cases

PARTS = ("http", "environ", "input", "start", "body", "failures", "clients")

for part in PARTS:  # in the order of the chapters, so that the cases stand in that order too
    importlib.import_module(f"{__package__}.server_{part}")


def cases_for(server: Any) -> list[Case]:
    """Return the cases that apply to a server."""
    return [each for each in cases("server") if each.needs <= server.provides]
