# trips: six clients that stall
from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    return ["--workers", "2", "--timeout", "2"]
