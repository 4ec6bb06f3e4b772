# trips: half a head is None
"""Takes no match for never."""

from handmade import grammar


def status_for(data):
    if data.find(b"\r\n") > 8190 or (b"\r\n" not in data and len(data) > 8190):
        return 414
    match = grammar.HEAD.match(data)
    if match is None:
        return 431 if len(data) > 65536 else 400
    fields = grammar.split_fields(match[4])
    if len(fields) > 100 or match.end() > 65536:
        return 431
    if match[3][:1] != b"1":
        return 505
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
