"""★ first-line: cut off the first line.

Given: the bytes of a request or of an answer.

Write ``first_line(raw)``. It returns the first line as bytes, without the two bytes that end it.

The check gives it a request and an answer. In the notebook it is given your function itself:
``check("first-line", first_line)``.
"""

from __future__ import annotations


def first_line(raw: bytes) -> bytes:
    """Return the first line of a message, without its line end."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
