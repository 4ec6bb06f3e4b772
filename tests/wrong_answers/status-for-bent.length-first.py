# trips: the same status however it is cut
"""Asks about the line's length before it asks about a bare LF."""

from handmade import grammar

LINE, HEAD, FIELDS = 8190, 65536, 100


def status_for(data):
    line_end = data.find(b"\r\n", 0, LINE + 2)
    if line_end < 0 and len(data) >= LINE + 2:
        return 414
    end = data.find(b"\r\n\r\n", 0, HEAD)
    head = data[:HEAD] if end < 0 else data[: end + 4]
    if grammar.BARE_LF.search(head):
        return 400
    if end < 0:
        return 431 if len(head) == HEAD else None
    match = grammar.HEAD.match(head)
    if match is None:
        return 400
    fields = grammar.split_fields(match[4])
    if len(fields) > FIELDS:
        return 431
    if match[3][:1] != b"1":
        return 505
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
