# trips: all that a name and a value may hold
"""Takes word characters and hyphens for a token."""

from __future__ import annotations

import re

from handmade import grammar


def field_line(line: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a field line (RFC 9112 §5)."""
    pattern = re.compile(b"(" + rb"[\w-]+" + b"):(" + grammar.FIELD_VALUE + b")")
    match = pattern.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r} is no field line")
    return match[1].lower(), match[2].strip(b" \t")
