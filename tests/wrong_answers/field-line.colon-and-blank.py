# trips: blanks around the value are optional
"""Cuts at a colon with a blank behind it."""

import re

from handmade import grammar


def field_line(line):
    name, separator, value = line.partition(b": ")
    if not separator or not re.fullmatch(grammar.TOKEN, name):
        raise ValueError(line)
    if not re.fullmatch(grammar.FIELD_VALUE, value):
        raise ValueError(line)
    return name.lower(), value.strip(b" \t")
