"""★ cgi-head: read what a CGI program has printed.

Given: all the bytes that the program wrote to standard output. First come fields, one in a line,
then an empty line, then the body. Lines end in LF or in CR LF.

Write ``read_output(printed)``: return a status like "404 Not Found", a list of pairs of str, and
the body as bytes. The pairs are the fields as they were printed, without blanks around the value,
decoded as latin-1: that is what ``start_response`` takes.
``Status`` is for you and no field of the response; without it the status is "200 OK", or
"302 Found" where there is a ``Location``.

Raise ValueError for what is no CGI response: without an empty line, or with a line before it that
is no field.

The check runs programs behind a server, and reads the answers.
"""

from __future__ import annotations


def read_output(printed: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
