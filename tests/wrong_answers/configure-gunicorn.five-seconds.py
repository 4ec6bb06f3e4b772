# trips: one worker freezes
from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    return ["-k", "gthread", "--workers", "2", "--threads", "32", "--timeout", "5"]
