"""★★ status-for-bent: the right status for a bent request.

Given: in ``grammar``, HEAD, BARE_LF and split_fields; three limits.

Write ``status_for(data)``. ``data`` is all that has come so far on a new connection, one byte at
least. Return the status to answer with:

- 200 for a good head, None for not yet;
- 400 for what breaks the grammar: at once for a bare LF, the rest may wait for the empty line;
- 400 for a wrong number of Host fields: HTTP/1.1 needs exactly one, HTTP/1.0 may have none;
- 414 for a request line over LINE bytes, its CRLF not counted;
- 431 for a head over HEAD bytes in all, or with more than FIELDS fields;
- 505 for a version that is not 1.0, 1.1, or another that begins with 1.

Bytes behind the empty line do not count. A status once given stays, whatever follows.
"""

from __future__ import annotations

from handmade import grammar

LINE, HEAD, FIELDS = 8190, 65536, 100


def status_for(data: bytes) -> int | None:
    """Return the status for what has come, None for not yet."""
    ### BEGIN SOLUTION
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
    if len(fields) > FIELDS:
        return 431
    if match[3][:1] != b"1":
        return 505
    hosts = sum(name == b"host" for name, _ in fields)
    return 200 if hosts == 1 or (hosts == 0 and match[3] == b"1.0") else 400
    ### END SOLUTION
