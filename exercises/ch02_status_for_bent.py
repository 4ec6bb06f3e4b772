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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
