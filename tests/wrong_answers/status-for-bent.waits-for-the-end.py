# trips: a line over the limit is 414
"""Asks about lengths when the empty line has come."""

from handmade import grammar


def status_for(data):
    end = data.find(b"\r\n\r\n")
    if grammar.BARE_LF.search(data if end < 0 else data[:end]):
        return 400
    if end < 0:
        return None
    if data.find(b"\r\n") > 8190:
        return 414
    if end + 4 > 65536:
        return 431
    match = grammar.HEAD.match(data)
    if match is None:
        return 400
    fields = grammar.split_fields(match[4])
    if len(fields) > 100:
        return 431
    if match[3][:1] != b"1":
        return 505
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
