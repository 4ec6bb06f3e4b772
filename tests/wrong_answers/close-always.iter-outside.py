# trips: an iterable that cannot be begun
"""Begins before the try."""

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
    iterator = iter(blocks)
    try:
        for block in iterator:
            if block:
                write(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
