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
    ### BEGIN SOLUTION
    status, headers = "", []
    while True:
        line, newline, printed = printed.partition(b"\n")
        if not newline:
            raise ValueError("the head has no end")
        text = line.removesuffix(b"\r").decode("latin-1")
        if not text:
            break
        name, colon, value = text.partition(":")
        if not colon or not name or " " in name:
            raise ValueError(f"{text!r} is no field")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    moved = any(name.lower() == "location" for name, _ in headers)
    return status or ("302 Found" if moved else "200 OK"), headers, printed
    ### END SOLUTION
