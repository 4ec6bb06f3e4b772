"""★ field-line: read one field line.

Given: the terms of the grammar from the notebook, in ``grammar``.

Write ``field_line(line)``. One line comes in as bytes, without the CRLF that ended it. Return a
tuple of the name in lower case and the value without blanks and tabs around it. Raise ValueError
for what is no field line.

The check reads lines with and without blanks, then hands over lines that no server may take.
"""

from __future__ import annotations

import re

from handmade import grammar


def field_line(line: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a field line (RFC 9112 §5)."""
    ### BEGIN SOLUTION
    pattern = re.compile(b"(" + grammar.TOKEN + b"):(" + grammar.FIELD_VALUE + b")")
    match = pattern.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r} is no field line")
    return match[1].lower(), match[2].strip(b" \t")
    ### END SOLUTION
