# trips: nothing behind the value
"""Adds the CRLF that FIELD_LINE wants, and matches a beginning."""

import re

from handmade import grammar


def field_line(line):
    if not re.match(grammar.FIELD_LINE, line + b"\r\n"):
        raise ValueError(line)
    name, _, value = line.partition(b":")
    return name.lower(), value.split(b"\r\n")[0].strip(b" \t")
