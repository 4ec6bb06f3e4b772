"""★★ smuggling-packet: find the packet with two ends.

Given: a proxy and a server behind it. Both know chunks, and both let chunks go before a length, as
RFC 9112 §6.3 wants. They differ in one line. Look at them in a notebook cell (a script has to
``print`` what show returns):

    show("workbench.exercises.chapter03.requests_in",
         "workbench.exercises.chapter03.is_chunked_for_the_front",
         "workbench.exercises.chapter03.is_chunked_for_the_back")

The proxy lets nobody ask for ``/admin``, and sends everybody's requests over one connection.

Write ``packet()``. It returns bytes that are one whole request for ``/posts`` to the proxy; the
server, when a victim's ``GET /mine`` has come behind it, sees ``/posts`` first and then ``/admin``.
So the answer that the victim gets is the one for ``/admin``.

The check shows your packet to both, and then to the engine of this course.
"""

from __future__ import annotations


def packet() -> bytes:
    """Return a request that ends in two places."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
