# trips: a close() that fails
"""Calls close(), and takes an AttributeError for 'there is none'."""

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
    try:
        for block in blocks:
            if block:
                write(block)
    finally:
        try:
            blocks.close()
        except AttributeError:
            pass
