"""★ sse-format: write a server-sent event.

Write ``event(data, name="", number=None)``. It returns the bytes of one event, in UTF-8: a line
``event: ...`` if there is a name, a line ``id: ...`` if there is a number, the data, and the blank
line that ends it.

``data`` is any text, of several lines perhaps, with ``\\n``, ``\\r\\n`` or ``\\r`` between them. A
reader must get all its lines back. A name with a line break in it is refused with ValueError.

The check reads what you return as a browser does, alone and from a running server.
"""

from __future__ import annotations

import re


def event(data: str, name: str = "", number: int | None = None) -> bytes:
    """Return one event of a text/event-stream."""
    ### BEGIN SOLUTION
    if "\n" in name or "\r" in name:
        raise ValueError("the name of an event is one line")
    lines = [f"event: {name}"] if name else []
    if number is not None:
        lines.append(f"id: {number}")
    lines += [f"data: {line}" for line in re.split("\r\n|\n|\r", data)]
    return "".join(line + "\n" for line in [*lines, ""]).encode()
    ### END SOLUTION
