# trips: an empty block is nothing
"""Writes empty blocks."""

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
            write(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
