# trips: one worker is killed
from __future__ import annotations


def options() -> list[str]:
    """Return Gunicorn's options for this load."""
    return ["-k", "gthread", "--threads", "64", "--timeout", "2"]
