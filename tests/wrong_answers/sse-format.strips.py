# trips: blanks and line ends around it
from __future__ import annotations

import re


def event(data: str, name: str = "", number: int | None = None) -> bytes:
    """Return one event of a text/event-stream."""
    if "\n" in name or "\r" in name:
        raise ValueError("the name of an event is one line")
    lines = [f"event: {name}"] if name else []
    if number is not None:
        lines.append(f"id: {number}")
    lines += [f"data: {line}" for line in re.split("\r\n|\n|\r", data.strip())]
    return "".join(line + "\n" for line in [*lines, ""]).encode()
