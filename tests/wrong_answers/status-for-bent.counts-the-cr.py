# trips: the same status however it is cut
"""Counts the CR of a line whose LF has not come."""

from handmade import grammar

LINE, HEAD, FIELDS = 8190, 65536, 100


def status_for(data):
    begun = data[: LINE + 2]
    line_end = begun.find(b"\r\n")
    if line_end < 0 and grammar.BARE_LF.search(begun):
        return 400
    if len(begun if line_end < 0 else begun[:line_end]) > LINE:
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
