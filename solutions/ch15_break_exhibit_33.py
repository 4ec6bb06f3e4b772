"""★★ break-exhibit-33: find the packet that breaks exhibit 33 of the museum.

Exhibit 33 is our ASGI server with one bug: it makes ``raw_path`` anew from the decoded path. Its
card, and what it says to a packet of yours:

    from workbench.exercises.exhibits import asgi_mirror
    from workbench.gauntlet import museum
    print(museum.exhibit(33).symptom)
    with museum.served(museum.exhibit(33), app=asgi_mirror) as server:
        print(server.talk(packet()))

Write ``packet()``. It returns the bytes of one request that our server answers with 200. In the
exhibit ``path`` is the same, and ``raw_path`` is not what you have sent.
"""

from __future__ import annotations


def packet() -> bytes:
    """Return a request that exhibit 33 gets wrong."""
    ### BEGIN SOLUTION
    return b"GET /a%2Fb HTTP/1.1\r\nHost: test\r\n\r\n"
    ### END SOLUTION
