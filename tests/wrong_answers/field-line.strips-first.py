# trips: no control character in a value
"""Strips every white space before it looks at the value."""

import re

from handmade import grammar


def field_line(line):
    name, colon, value = line.partition(b":")
    value = value.strip()
    if not colon or not re.fullmatch(grammar.TOKEN, name):
        raise ValueError(line)
    if not re.fullmatch(grammar.FIELD_VALUE, value):
        raise ValueError(line)
    return name.lower(), value
