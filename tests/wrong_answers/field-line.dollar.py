# trips: nothing behind the value
"""Ends its pattern with $, which is content before a last line feed, too."""

import re

from handmade import grammar

LINE = re.compile(b"(" + grammar.TOKEN + b"):(" + grammar.FIELD_VALUE + b")$")


def field_line(line):
    match = LINE.match(line)
    if match is None:
        raise ValueError(line)
    return match[1].lower(), match[2].strip(b" \t")
