# trips: closed whatever is raised
"""Closes after an Exception, and after the end."""

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
    blocks = app(environ, start_response)

    def close():
        if hasattr(blocks, "close"):
            blocks.close()

    try:
        for block in blocks:
            if block:
                write(block)
    except Exception:
        close()
        raise
    close()
