"""★★ close-always: run an application, and close what it returns.

Given: a WSGI application, its environ, a correct ``start_response``, and ``write``, which sends a
block and before the first one the head. ``write`` raises when a block is not bytes and when the
client has left.

Write ``respond(app, environ, start_response, write)``: call the application and write each block
that is not empty before you ask for the next one. If what it returned has a ``close()``, call that
once, whatever happens. Errors go on to whoever called you: the server knows what to do.

The check puts your function into a server and serves applications that end, fail, and lose their
client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def respond(
    app: Callable[..., Any],
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    write: Callable[[bytes], None],
) -> None:
    """Run an application for one request."""
    ### BEGIN SOLUTION
    blocks = app(environ, start_response)
    try:
        for block in blocks:
            if block:
                write(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
    ### END SOLUTION
