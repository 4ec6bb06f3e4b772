# trips: closed after an error
"""Closes behind the loop."""

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
    for block in blocks:
        if block:
            write(block)
    if hasattr(blocks, "close"):
        blocks.close()
