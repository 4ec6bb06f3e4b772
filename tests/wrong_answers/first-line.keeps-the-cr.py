# trips: a request
"""Cuts at the second of the two bytes that end a line."""


def first_line(raw):
    return raw.split(b"\n")[0]
