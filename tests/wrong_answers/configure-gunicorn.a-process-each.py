# trips: no more than there is room for
from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    return ["--workers", "24", "--timeout", "2"]
