# trips: an iterable that cannot be begun
"""Begins inside of the try, and keeps to itself what that raises."""

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
        try:
            iterator = iter(blocks)
        except Exception:
            return
        for block in iterator:
            if block:
                write(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
