"""★ break-exhibit-3: find the packet that breaks exhibit 3 of the museum.

Exhibit 3 is our server with one bug that tutorials have: some fields of a request never reach the
application. Its card, and what it says to a packet of yours:

    from workbench.exercises.exhibits import wsgi_mirror
    from workbench.gauntlet import museum
    print(museum.exhibit(3).symptom)
    with museum.served(museum.exhibit(3), app=wsgi_mirror) as server:
        print(server.talk(packet()))

Write ``packet()``. It returns the bytes of one request. Our server as it is answers it with 200;
the exhibit answers it too, and its application lacks a field that you have sent.
"""

from __future__ import annotations


def packet() -> bytes:
    """Return a request that exhibit 3 gets wrong."""
    ### BEGIN SOLUTION
    return b"GET / HTTP/1.1\r\nHost: test\r\nX-Close:yes\r\n\r\n"
    ### END SOLUTION
