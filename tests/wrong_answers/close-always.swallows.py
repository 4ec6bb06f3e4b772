# trips: the server hears of the error
"""Lets nobody hear of an error."""

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
    except Exception as error:
        print(error)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
