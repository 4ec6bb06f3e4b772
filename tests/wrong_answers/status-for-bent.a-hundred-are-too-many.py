# trips: a head over the limits is 431
"""Refuses FIELDS fields, and not only more of them."""

from __future__ import annotations

from handmade import grammar

LINE, HEAD, FIELDS = 8190, 65536, 100


def status_for(data: bytes) -> int | None:
    """Return the status for what has come, None for not yet."""
    # Each question looks at a window that no later byte changes, so an answer stays.
    begun = data[: LINE + 2]
    if b"\r\n" not in begun:
        if grammar.BARE_LF.search(begun):
            return 400
        return 414 if len(begun) == LINE + 2 else None
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
    if len(fields) >= FIELDS:
        return 431
    if match[3][:1] != b"1":
        return 505
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
