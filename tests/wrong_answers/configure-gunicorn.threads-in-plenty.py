# trips: no more than there is room for
from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    return ["-k", "gthread", "--workers", "2", "--threads", "100", "--timeout", "2"]
