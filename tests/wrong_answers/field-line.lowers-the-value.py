# trips: all that a name and a value may hold
"""Lowers the value with the name."""

from __future__ import annotations

import re

from handmade import grammar


def field_line(line: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a field line (RFC 9112 §5)."""
    pattern = re.compile(b"(" + grammar.TOKEN + b"):(" + grammar.FIELD_VALUE + b")")
    match = pattern.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r} is no field line")
    return match[1].lower(), match[2].lower().strip(b" \t")
