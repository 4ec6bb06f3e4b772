# trips: a blank before the colon is refused
"""Repairs a blank before the colon."""

import re

from handmade import grammar


def field_line(line):
    name, colon, value = line.partition(b":")
    name = name.strip()
    if not colon or not re.fullmatch(grammar.TOKEN, name):
        raise ValueError(line)
    if not re.fullmatch(grammar.FIELD_VALUE, value):
        raise ValueError(line)
    return name.lower(), value.strip(b" \t")
