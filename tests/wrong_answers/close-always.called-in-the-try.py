# trips: an application that fails when it is called
"""Calls the application inside of the try."""

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
    try:
        blocks = app(environ, start_response)
        for block in blocks:
            if block:
                write(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
