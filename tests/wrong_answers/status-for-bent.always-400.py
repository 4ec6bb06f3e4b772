# trips: another version is 505
"""Knows one status for all that is wrong."""

from handmade import grammar


def status_for(data):
    end, line_end = data.find(b"\r\n\r\n"), data.find(b"\r\n")
    head = data if end < 0 else data[: end + 4]
    if len(head if line_end < 0 else head[:line_end]) > 8190:
        return 414
    if grammar.BARE_LF.search(head):
        return 400
    if len(head) > 65536:
        return 431
    if end < 0:
        return None
    match = grammar.HEAD.match(head)
    if match is None or match[3][:1] != b"1":
        return 400
    fields = grammar.split_fields(match[4])
    if len(fields) > 100:
        return 431
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
